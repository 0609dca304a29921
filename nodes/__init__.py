"""The extension ComfyUI loads, and its explicit list of nodes."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .extend_video import FalViduExtendVideo
from .host import data_dir, listen_for_interrupts, route_table
from .host.poll_log import silence_polls
from .image import FalViduImage
from .image_to_video import FalViduImageToVideo
from .other_copy import require_only_copy
from .reference_to_video import FalViduReferenceToVideo
from .routes import register_routes
from .saved_clip import FalViduSavedClip
from .shots import FalViduShots
from .template import FalViduTemplate
from .text_to_video import FalViduTextToVideo


class FalViduExtension(ComfyExtension):
    """Vidu on fal."""

    async def on_load(self) -> None:
        """Begin to notice when the user presses Cancel, and to answer the web extension."""
        listen_for_interrupts()
        silence_polls()
        register_routes(route_table(), data_dir())

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Return the nodes of this pack."""
        return [
            FalViduImageToVideo,
            FalViduTextToVideo,
            FalViduReferenceToVideo,
            FalViduExtendVideo,
            FalViduTemplate,
            FalViduImage,
            FalViduShots,
            FalViduSavedClip,
        ]


async def comfy_entrypoint() -> FalViduExtension:
    """Return the extension; ComfyUI calls this when it loads the pack."""
    require_only_copy(__name__)
    return FalViduExtension()
