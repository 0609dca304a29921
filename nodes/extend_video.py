"""Vidu Extend Video: a clip that goes on where a video ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..vidu.endpoint import Intention
from . import host
from .generation import CLIP_SLOTS, generate_clips
from .model_inputs import ModelInput, model_name, model_options, option_lists
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


class FalViduExtendVideo(io.ComfyNode):
    """Extends videos with Vidu through fal; lists as in `FalViduImageToVideo`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduExtendVideo",
            display_name="Vidu Extend Video (fal)",
            category="video/Vidu",
            description=(
                "Goes on where a video ends, by 2 to 7 s, with Vidu on fal.ai. fal may charge the "
                "seconds of the video as well: the price shown is the most it can be."
            ),
            search_aliases=["vidu", "fal", "extend video", "video extension", "continue"],
            inputs=[
                io.Video.Input("video", tooltip="The video to extend, 4 to 55 s long."),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    tooltip="What should happen next; may be empty.",
                ),
                io.DynamicCombo.Input(
                    "model",
                    options=model_options(Intention.EXTEND_VIDEO),
                    tooltip="The duration is that of the part which is added.",
                ),
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
    def validate_inputs(cls, mode: Sequence[str | None], *, model: object = None) -> bool | str:
        """Refuse a live run without a key before it begins."""
        return check_mode(mode)

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> str:
        """Return what beside the inputs decides whether the node runs again: its wiring."""
        return host.wiring(CLIP_SLOTS)

    @classmethod
    async def execute(
        cls,
        video: list[Any],
        prompt: list[str],
        seed: list[int],
        mode: list[str],
        filename_prefix: list[str],
        max_cost: list[float],
        model: ModelInput = None,
        every_nth: Sequence[int] = (1,),
        max_frames: Sequence[int] = (0,),
        on_error: Sequence[str] = ("stop",),
    ) -> io.NodeOutput:
        """Make the clips and hand them to the graph."""
        shots = pair_shots(
            Intention.EXTEND_VIDEO,
            model_name(model, Intention.EXTEND_VIDEO),
            prompt=prompt,
            seed=seed,
            filename_prefix=filename_prefix,
            options=option_lists(model),
            media={"video": [video]},
        )
        run = RunSettings.read(mode, max_cost, on_error, every_nth, max_frames)
        return await generate_clips(cls.hidden, shots, run)
