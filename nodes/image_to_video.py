"""Vidu Image to Video: a clip from a first frame, and to a last frame where there is one."""

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


class FalViduImageToVideo(io.ComfyNode):
    """Turns images into Vidu clips through fal.

    It takes its inputs as lists, instead of being run by the host once for each element: so all
    shots are checked before the first is paid, all that fail are named together, and one display
    shows them all.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduImageToVideo",
            display_name="Vidu Image to Video (fal)",
            category="video/Vidu",
            description=(
                "Turns an image into a video with Vidu on fal.ai, from $0.035 a clip. Each image "
                "of a batch becomes a clip, all at once. The same inputs give the same clip, free."
            ),
            search_aliases=["vidu", "fal", "image to video", "i2v", "animate", "first last frame"],
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The first frame; one clip for each image. Aspect 1:4 to 4:1. "
                    "Transparent parts become white.",
                ),
                io.Image.Input(
                    "end_image",
                    optional=True,
                    tooltip="The last frame, for every model but Q4: one for all clips, or one "
                    "each. The same image as the first frame makes a loop.",
                ),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    tooltip="What should happen. Q3 and Q4 do without; the longest prompt depends "
                    "on the model.",
                ),
                io.DynamicCombo.Input(
                    "model",
                    options=model_options(Intention.IMAGE_TO_VIDEO),
                    tooltip="Vidu makes 4 s for $0.20. The others differ in length, size, sound "
                    "and price.",
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
        image: list[Any],
        prompt: list[str],
        seed: list[int],
        mode: list[str],
        filename_prefix: list[str],
        max_cost: list[float],
        model: ModelInput = None,
        end_image: Sequence[Any] = (None,),
        every_nth: Sequence[int] = (1,),
        max_frames: Sequence[int] = (0,),
        on_error: Sequence[str] = ("stop",),
    ) -> io.NodeOutput:
        """Make the clips and hand them to the graph."""
        shots = pair_shots(
            Intention.IMAGE_TO_VIDEO,
            model_name(model, Intention.IMAGE_TO_VIDEO),
            prompt=prompt,
            seed=seed,
            filename_prefix=filename_prefix,
            options=option_lists(model),
            media={
                "image": [host.single_images(image)],
                "end_image": [host.single_images(end_image)],
            },
        )
        run = RunSettings.read(mode, max_cost, on_error, every_nth, max_frames)
        return await generate_clips(cls.hidden, shots, run)
