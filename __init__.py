"""Vidu on fal: an image becomes a Vidu clip, in ComfyUI's graph."""

from .nodes import comfy_entrypoint

WEB_DIRECTORY = "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
