"""The extension ComfyUI loads, and its explicit list of nodes."""

from __future__ import annotations

from .host import ComfyExtension, io, listen_for_interrupts
from .image_to_video import FalViduImageToVideo


class FalViduExtension(ComfyExtension):
    """Vidu on fal."""

    async def on_load(self) -> None:
        """Begin to notice when the artist presses Cancel."""
        listen_for_interrupts()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the nodes of this pack."""
        return [FalViduImageToVideo]


async def comfy_entrypoint() -> FalViduExtension:
    """Return the extension; ComfyUI calls this when it loads the pack."""
    return FalViduExtension()
