"""The host's own nodes: none."""

from __future__ import annotations

NODE_CLASS_MAPPINGS: dict[str, type] = {}
