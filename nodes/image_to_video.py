"""Vidu Image to Video: one clip for each image of the batch."""

from __future__ import annotations

import asyncio

from ..vidu.credentials import find_key
from ..vidu.errors import ViduError
from ..vidu.request import (
    IMAGE_TO_VIDEO,
    MOVEMENT_AMPLITUDES,
    SEED_MAX,
    Request,
    check_clip_count,
    checked_prompt,
    image_to_video,
)
from . import host
from .host import io
from .takes import CLIP_OUTPUTS, FRAME_INPUTS, Frames, make_takes, outputs

PRICE = f"${IMAGE_TO_VIDEO.price.usd:.2f}"


class FalViduImageToVideo(io.ComfyNode):
    """Turns each image of a batch into a Vidu clip through fal."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduImageToVideo",
            display_name="Vidu Image to Video",
            category="video/Vidu",
            description=(
                f"Turns an image into a 4 s video with Vidu on fal.ai: {PRICE} a clip. Each image "
                "of a batch becomes a clip, all at once. The same inputs give the same clip, free."
            ),
            search_aliases=["vidu", "fal", "image to video", "i2v", "animate"],
            inputs=[
                io.Image.Input(
                    "image",
                    tooltip="The first frame; one clip for each image. Aspect 1:4 to 4:1. "
                    "Transparent parts become white.",
                ),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What should happen, 1 to 1500 characters.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=SEED_MAX,
                    control_after_generate=True,
                    tooltip="Same inputs, same clip, free; change the seed for another take. "
                    "0 lets Vidu choose.",
                ),
                io.Combo.Input(
                    "movement_amplitude",
                    options=list(MOVEMENT_AMPLITUDES),
                    default="auto",
                    tooltip="How much the things in the frame move.",
                ),
                io.Combo.Input(
                    "mode",
                    options=["live", "draft"],
                    default="live",
                    tooltip=f"live: fal makes the clip, {PRICE}. draft: a stand-in made here, "
                    "free, without key or network, marked DRAFT.",
                ),
                io.String.Input(
                    "filename_prefix",
                    default="video/Vidu",
                    tooltip="Where in the output folder the clip is kept; %date% rules as in "
                    "Save Video.",
                ),
                io.Int.Input(
                    "max_clips",
                    default=4,
                    min=1,
                    max=100,
                    advanced=True,
                    tooltip="A batch larger than this is refused before anything is paid.",
                ),
                *FRAME_INPUTS,
            ],
            outputs=CLIP_OUTPUTS,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, prompt: str | None, mode: str | None) -> bool | str:
        """Refuse what can be refused before the run; a linked input is None here."""
        if mode not in (None, "live", "draft"):
            return f"mode is {mode!r}: choose live or draft."
        try:
            if prompt is not None:
                checked_prompt(prompt, IMAGE_TO_VIDEO)
            if mode == "live":
                find_key(host.home())
        except ViduError as error:
            return str(error)
        return True

    @classmethod
    async def execute(
        cls,
        image: io.Image.Type,
        prompt: str,
        seed: int,
        movement_amplitude: str,
        mode: str,
        filename_prefix: str,
        max_clips: int,
        every_nth: int = 1,
        max_frames: int = 0,
    ) -> io.NodeOutput:
        """Make the clips and hand their frames to the graph."""
        pictures = host.pictures(image)
        check_clip_count(len(pictures), max_clips, IMAGE_TO_VIDEO)

        def requests() -> list[Request]:
            return [
                image_to_video(picture, prompt, seed=seed, movement_amplitude=movement_amplitude)
                for picture in pictures
            ]

        takes = await make_takes(
            await asyncio.to_thread(requests),
            host.names(filename_prefix),
            host.metadata(cls.hidden),
            Frames(every_nth, max_frames),
            draft=mode == "draft",
        )
        return outputs(takes)
