"""Vidu on fal: an image becomes a Vidu clip, in ComfyUI's graph."""

from .nodes import comfy_entrypoint
from .nodes.other_copy import find_other_copy

# Of two copies in custom_nodes the second steps aside, its scripts too.
WEB_DIRECTORY = None if find_other_copy(f"{__name__}.nodes") else "./web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
