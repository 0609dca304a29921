"""Vidu Saved Clip: a clip already paid for, again, free."""

from __future__ import annotations

import asyncio

from ..vidu.errors import ViduError
from ..vidu.library import get_by_request_id
from . import host
from .generation import CLIP_OUTPUTS, FRAME_INPUTS, FrameSelection, load_saved_clip, outputs
from .host import io


class FalViduSavedClip(io.ComfyNode):
    """Yields a clip of the library as the node that made it does."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduSavedClip",
            display_name="Vidu Saved Clip",
            category="video/Vidu",
            description=(
                "A clip of the library (the sidebar's Vidu tab), with the same outputs as the "
                "node that made it. Always free: when its file is missing, it is fetched again "
                "from fal while fal has it."
            ),
            search_aliases=["vidu", "fal", "saved clip", "library", "reuse"],
            inputs=[
                io.String.Input(
                    "request_id",
                    tooltip="Which clip: fal's id of its request. The library fills it in.",
                ),
                *FRAME_INPUTS,
            ],
            outputs=CLIP_OUTPUTS,
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, request_id: str | None) -> bool | str:
        """Refuse an id the library does not have; a linked input is None here."""
        if request_id is None:
            return True
        try:
            get_by_request_id(host.data_dir(), request_id)
        except ViduError as error:
            return str(error)
        return True

    @classmethod
    async def execute(
        cls, request_id: str, every_nth: int = 1, max_frames: int = 0
    ) -> io.NodeOutput:
        """Bring the clip back and hand its frames to the graph."""
        entry = await asyncio.to_thread(get_by_request_id, host.data_dir(), request_id)
        return outputs([await load_saved_clip(entry, FrameSelection(every_nth, max_frames))])
