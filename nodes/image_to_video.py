"""Vidu Image to Video: one clip for each image of a batch, or for each shot of a list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ..vidu.builders import image_to_video
from ..vidu.credentials import find_key
from ..vidu.endpoints import AMPLITUDE, VIDU_IMAGE_TO_VIDEO
from ..vidu.errors import InvalidImageError, InvalidInputError, TooManyClipsError, ViduError
from ..vidu.pricing import format_usd
from ..vidu.request import SEED_MAX, Request, check_prompt
from . import host
from .generation import CLIP_OUTPUTS, FRAME_INPUTS, FrameSelection, generate_clips, outputs
from .host import io
from .input_lists import broadcast_inputs, shot_labels, single_value

PRICE = str(VIDU_IMAGE_TO_VIDEO.quote({}, {}))

SHOT_INPUTS = [
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
        options=list(AMPLITUDE.values),
        default="auto",
        tooltip="How much the things in the frame move.",
    ),
]
"""What a shot is made of; a list has one value for each shot, or one for all."""

RUN_INPUTS = [
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
        tooltip="Where in the output folder the clip is saved; %date:yyyy-MM-dd% and the like work "
        "as in Save Video.",
    ),
    io.Int.Input(
        "max_clips",
        default=4,
        min=1,
        max=100,
        advanced=True,
        tooltip="A batch larger than this is refused before anything is paid. "
        "Clips that each have a prompt of their own are not limited.",
    ),
]
"""How the shots are made and where they are saved."""

ON_ERROR = io.Combo.Input(
    "on_error",
    options=["stop", "skip"],
    default="stop",
    optional=True,
    advanced=True,
    tooltip="When one of several clips fails: stop, and keep the others for the "
    "next run; or skip it, and go on with the others. A skipped shot is tried "
    "again when an input changes.",
)


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
            display_name="Vidu Image to Video",
            category="video/Vidu",
            description=(
                f"Turns an image into a 4 s video with Vidu on fal.ai: {PRICE} a clip. Each image "
                "of a batch becomes a clip, all at once. The same inputs give the same clip, free."
            ),
            search_aliases=["vidu", "fal", "image to video", "i2v", "animate"],
            inputs=[
                *SHOT_INPUTS,
                *RUN_INPUTS,
                *FRAME_INPUTS,
                ON_ERROR,
            ],
            outputs=CLIP_OUTPUTS,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(
        cls, prompt: Sequence[str | None], mode: Sequence[str | None]
    ) -> bool | str:
        """Refuse what can be refused before the run; the value of a linked input is None here."""
        if mode[0] not in (None, "live", "draft"):
            return f"mode is {mode[0]!r}: choose live or draft."
        try:
            if prompt[0] is not None:
                check_prompt(prompt[0], VIDU_IMAGE_TO_VIDEO)
            if mode[0] == "live":
                find_key(host.data_dir())
        except ViduError as error:
            return str(error)
        return True

    @classmethod
    async def execute(
        cls,
        image: list[io.Image.Type],
        prompt: list[str],
        seed: list[int],
        movement_amplitude: list[str],
        mode: list[str],
        filename_prefix: list[str],
        max_clips: list[int],
        every_nth: Sequence[int] = (1,),
        max_frames: Sequence[int] = (0,),
        on_error: Sequence[str] = ("stop",),
    ) -> io.NodeOutput:
        """Make the clips and hand their frames to the graph."""
        shots = [
            {**shot, "image": picture}
            for shot in broadcast_inputs(
                image=image,
                prompt=prompt,
                seed=seed,
                movement_amplitude=movement_amplitude,
                filename_prefix=filename_prefix,
            )
            for picture in host.batch_to_arrays(shot["image"])
        ]
        if not shots:
            raise InvalidImageError("The image input holds no image.", "Connect one that does.")
        if len(shots) > len(prompt):
            _check_clip_count(len(shots), single_value("max_clips", max_clips))
        called = shot_labels([shot["prompt"] for shot in shots])
        takes = await generate_clips(
            await asyncio.to_thread(_requests, shots, called),
            called,
            [host.destination(shot["filename_prefix"]) for shot in shots],
            host.metadata(cls.hidden),
            FrameSelection(
                single_value("every_nth", every_nth), single_value("max_frames", max_frames)
            ),
            draft=single_value("mode", mode) == "draft",
            skip_failed=single_value("on_error", on_error) == "skip",
        )
        return outputs(takes)


def _requests(shots: Sequence[dict[str, Any]], called: Sequence[str]) -> list[Request]:
    requests = []
    for shot, title in zip(shots, called, strict=True):
        try:
            requests.append(
                image_to_video(
                    shot["image"],
                    shot["prompt"],
                    seed=shot["seed"],
                    movement_amplitude=shot["movement_amplitude"],
                )
            )
        except InvalidInputError as error:
            if len(shots) == 1:
                raise
            raise type(error)(f"Shot {title}: {error.message}", error.next_step) from error
    return requests


def _check_clip_count(count: int, limit: int) -> None:
    if count > limit:
        usd = format_usd(count * VIDU_IMAGE_TO_VIDEO.quote({}, {}).usd)
        raise TooManyClipsError(
            f"The image input holds {count} images: {count} clips for {usd}, and max_clips is "
            f"{limit}.",
            "Pick the frames you want, or raise max_clips (an advanced input of this node).",
        )
