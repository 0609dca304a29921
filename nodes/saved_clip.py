"""Vidu Saved Clip: a clip or a still already paid for, again, free."""

from __future__ import annotations

from pathlib import Path

from comfy_api.latest import io

from ..vidu.errors import ViduError
from ..vidu.library import get_by_request_id
from ..vidu.media.decode_turns import DecodeTurns
from ..vidu.models import Clip
from . import host
from .clip_frames import CLIP_SLOTS, DecodedClip, Wanted, decode_clip
from .generation import clip_outputs, load_saved
from .run_inputs import CLIP_OUTPUTS, FRAME_INPUTS

STILL = "This is a still: use the frames output, which holds the image."


class FalViduSavedClip(io.ComfyNode):
    """Yields a clip or a still of the library as the node that made it does."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduSavedClip",
            display_name="Vidu Saved Clip (fal)",
            category="video/Vidu",
            description=(
                "A clip or a still of the library (the sidebar's Vidu tab), with the same outputs "
                "as the node that made it. Always free: when its file is missing, it is fetched "
                "again from fal while fal has it."
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
            hidden=[io.Hidden.dynprompt],
            is_output_node=True,
        )

    @classmethod
    async def validate_inputs(cls, request_id: str | None) -> bool | str:
        """Refuse an id the library does not have; a linked input is None here."""
        if request_id is None:
            return True
        try:
            await get_by_request_id(host.data_dir(), request_id)
        except ViduError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> str:
        """Return what beside the inputs decides whether the node runs again: its wiring."""
        return host.wiring(CLIP_SLOTS)

    @classmethod
    async def execute(
        cls, request_id: str, every_nth: int = 1, max_frames: int = 0
    ) -> io.NodeOutput:
        """Bring the clip back and hand on what the graph has connected."""
        entry = await get_by_request_id(host.data_dir(), request_id)
        wanted = Wanted.of_running_node(cls.hidden.dynprompt, every_nth, max_frames)
        decoder = wanted.decoder(DecodeTurns())

        async def finish(clip: Clip) -> DecodedClip | Path:
            if not clip.fps:
                return clip.path
            return await decode_clip(clip, wanted, decoder)

        try:
            made = await load_saved(entry, decoder.check, finish)
        finally:
            decoder.forget()
        if isinstance(made, DecodedClip):
            return clip_outputs([made], wanted)
        return _outputs_of_a_still(made, entry.request_id)


def _outputs_of_a_still(path: Path, request_id: str) -> io.NodeOutput:
    image, not_made = host.read_image(path), host.blocked(STILL)
    return io.NodeOutput(
        [image],
        [str(path)],
        not_made,
        [image],
        [0.0],
        [1],
        [request_id],
        not_made,
        ui=host.preview_stills([path]),
    )
