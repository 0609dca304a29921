"""The extension ComfyUI loads, and its explicit list of nodes."""

from __future__ import annotations

from .account_routes import AccountRoutes
from .clip_routes import ClipRoutes
from .host import ComfyExtension, home, io, listen_for_interrupts, route_table
from .image_to_video import FalViduImageToVideo
from .saved_clip import FalViduSavedClip
from .shots import FalViduShots


class FalViduExtension(ComfyExtension):
    """Vidu on fal."""

    async def on_load(self) -> None:
        """Begin to notice when the artist presses Cancel, and to answer the web extension."""
        listen_for_interrupts()
        table = route_table()
        AccountRoutes(home()).register(table)
        ClipRoutes(home()).register(table)

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the nodes of this pack."""
        return [FalViduImageToVideo, FalViduSavedClip, FalViduShots]


async def comfy_entrypoint() -> FalViduExtension:
    """Return the extension; ComfyUI calls this when it loads the pack."""
    return FalViduExtension()
