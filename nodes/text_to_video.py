"""Vidu Text to Video: a clip from words alone."""

from __future__ import annotations

from collections.abc import Sequence

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


class FalViduTextToVideo(io.ComfyNode):
    """Turns prompts into Vidu clips through fal; lists as in `FalViduImageToVideo`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduTextToVideo",
            display_name="Vidu Text to Video (fal)",
            category="video/Vidu",
            description=(
                "Makes a video from a prompt with Vidu on fal.ai. Each prompt of a list becomes a "
                "clip, all at once. The same inputs give the same clip, free."
            ),
            search_aliases=["vidu", "fal", "text to video", "t2v"],
            inputs=[
                io.String.Input(
                    "prompt",
                    multiline=True,
                    tooltip="What should be seen, and heard where the model makes sound.",
                ),
                io.DynamicCombo.Input(
                    "model",
                    options=model_options(Intention.TEXT_TO_VIDEO),
                    tooltip="Q1 makes 5 s at 1080p for $0.40. Q3 and Q4 make sound as well.",
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
            Intention.TEXT_TO_VIDEO,
            model_name(model, Intention.TEXT_TO_VIDEO),
            prompt=prompt,
            seed=seed,
            filename_prefix=filename_prefix,
            options=option_lists(model),
        )
        run = RunSettings.read(mode, max_cost, on_error, every_nth, max_frames)
        return await generate_clips(cls.hidden, shots, run)
