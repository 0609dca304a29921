"""Vidu Template: one of fal's 181 effects on a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comfy_api.latest import io

from ..vidu.endpoint import Intention
from ..vidu.endpoints import TEMPLATE_TO_VIDEO
from . import host
from .generation import CLIP_SLOTS, generate_clips
from .model_inputs import connected_sockets, field_input, growing_input
from .run_inputs import (
    CLIP_OUTPUTS,
    FILENAME_PREFIX,
    FRAME_INPUTS,
    HIDDEN,
    MAX_COST,
    MODE,
    ON_ERROR,
    SEED,
    RunSettings,
    check_mode,
)
from .shot_requests import pair_shots


class FalViduTemplate(io.ComfyNode):
    """Makes clips from pictures by a template; lists as in `FalViduImageToVideo`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduTemplate",
            display_name="Vidu Template (fal)",
            category="video/Vidu",
            description=(
                "Puts a picture into one of 181 ready effects (a hug, a kiss, a hero's cape) with "
                "Vidu on fal.ai, for $0.20 to $0.50 a clip. Needs no prompt."
            ),
            search_aliases=["vidu", "fal", "template", "effect", "hug", "kiss"],
            inputs=[
                growing_input(TEMPLATE_TO_VIDEO.media[0]),
                *(field_input(field) for field in TEMPLATE_TO_VIDEO.fields),
                SEED,
                MODE,
                FILENAME_PREFIX,
                MAX_COST,
                *FRAME_INPUTS,
                ON_ERROR,
            ],
            outputs=CLIP_OUTPUTS,
            hidden=HIDDEN,
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, mode: Sequence[str | None], *, images: object = None) -> bool | str:
        """Refuse a live run without a key before it begins."""
        return check_mode(mode)

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> str:
        """Return what beside the inputs decides whether the node runs again: its wiring."""
        return host.wiring(CLIP_SLOTS)

    @classmethod
    async def execute(
        cls,
        template: list[str],
        aspect_ratio: list[str],
        seed: list[int],
        mode: list[str],
        filename_prefix: list[str],
        max_cost: list[float],
        images: Mapping[str, Sequence[Any]] | None = None,
        every_nth: Sequence[int] = (1,),
        max_frames: Sequence[int] = (0,),
        on_error: Sequence[str] = ("stop",),
    ) -> io.NodeOutput:
        """Make the clips and hand them to the graph."""
        shots = pair_shots(
            Intention.TEMPLATE,
            TEMPLATE_TO_VIDEO.model,
            seed=seed,
            filename_prefix=filename_prefix,
            options={"template": template, "aspect_ratio": aspect_ratio},
            media={"images": connected_sockets(images)},
        )
        run = RunSettings.read(mode, max_cost, on_error, every_nth, max_frames)
        return await generate_clips(cls.hidden, shots, run)
