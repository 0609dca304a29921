"""Vidu Reference to Video: a clip with the subjects of images, videos or voices in it."""

from __future__ import annotations

from collections.abc import Sequence

from comfy_api.latest import io

from ..vidu.endpoint import Intention
from . import host
from .generation import CLIP_SLOTS, generate_clips
from .model_inputs import ModelInput, model_name, model_options, option_lists, socket_lists
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


class FalViduReferenceToVideo(io.ComfyNode):
    """Makes Vidu clips with given subjects through fal; lists as in `FalViduImageToVideo`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduReferenceToVideo",
            display_name="Vidu Reference to Video (fal)",
            category="video/Vidu",
            description=(
                "Makes a video with the people, things and places of your images in it, with Vidu "
                "on fal.ai. Q2 Pro also takes videos, Q4 also voices. The same inputs give the "
                "same clip, free."
            ),
            search_aliases=["vidu", "fal", "reference to video", "subject", "character", "r2v"],
            inputs=[
                io.String.Input(
                    "prompt",
                    multiline=True,
                    tooltip="What should happen. Q4: [@reference_image_1] names the first image, "
                    "[reference_audio_1] the first voice.",
                ),
                io.DynamicCombo.Input(
                    "model",
                    options=model_options(Intention.REFERENCE_TO_VIDEO),
                    tooltip="What a model takes at most: Vidu 3 images; Q1 7; Q2 Pro 7 and 2 "
                    "videos; Q3 Mix 4; Q4 12 and 3 voices.",
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
            Intention.REFERENCE_TO_VIDEO,
            model_name(model, Intention.REFERENCE_TO_VIDEO),
            prompt=prompt,
            seed=seed,
            filename_prefix=filename_prefix,
            options=option_lists(model),
            media={role: socket_lists(model, role) for role in ("images", "videos", "voices")},
        )
        run = RunSettings.read(mode, max_cost, on_error, every_nth, max_frames)
        return await generate_clips(cls.hidden, shots, run)
