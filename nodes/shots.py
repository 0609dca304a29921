"""Vidu Shots: a shot list as text, into parallel lists for the generating nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..vidu.endpoints import AMPLITUDE
from ..vidu.errors import ViduError
from ..vidu.request import SEED_MAX
from ..vidu.shots.shot_list import (
    ANY_DURATION,
    LOOP,
    NEXT,
    assign_end_images,
    assign_images,
    read_shots,
)
from . import host
from .input_lists import prompt_with_line, single_value

EXAMPLE = """# prompt | seed | amplitude | duration | end
# The waves roll in.
# The lamp begins to turn. | 7 | small
# Night falls. | | | 8 | next"""


class FalViduShots(io.ComfyNode):
    """Turns a shot list into one list for each input of a generating node."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduShots",
            display_name="Vidu Shots (fal)",
            category="video/Vidu",
            description=(
                "A shot list, one shot a line: prompt | seed | amplitude | duration | end, all "
                "but the prompt optional. Connect its outputs to a node that makes clips, and all "
                "shots run side by side."
            ),
            search_aliases=["vidu", "fal", "shot list", "storyboard", "batch", "prompts"],
            inputs=[
                io.String.Input(
                    "shots",
                    multiline=True,
                    default=EXAMPLE,
                    tooltip="One shot a line. Lines that begin with # are comments. Put a prompt "
                    "with a bar in it between double quotes. end is loop (its own first frame), "
                    "next (the next shot's first frame) or the number of an end image.",
                ),
                io.Int.Input(
                    "base_seed",
                    default=0,
                    min=0,
                    max=SEED_MAX,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="What the seeds that are left out are made from: the same list gives "
                    "the same clips, free. Change it for another take of all those lines.",
                ),
                io.Int.Input(
                    "duration",
                    default=ANY_DURATION.default,
                    min=ANY_DURATION.least,
                    max=ANY_DURATION.most,
                    tooltip="Seconds of the lines that name no duration.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The first frames, a batch or a list: one for all lines, or one each.",
                ),
                io.Image.Input(
                    "end_image",
                    optional=True,
                    tooltip="The last frames, a batch or a list: as the lines' column end says; "
                    "where no line says anything, one for all lines, or one each.",
                ),
            ],
            outputs=[
                io.Image.Output("image", is_output_list=True, tooltip="The first frame of each."),
                io.String.Output("prompt", is_output_list=True, tooltip="The prompt of each."),
                io.Int.Output("seed", is_output_list=True, tooltip="The seed of each."),
                io.Combo.Output(
                    "movement_amplitude",
                    options=list(AMPLITUDE.values),
                    is_output_list=True,
                    tooltip="The movement amplitude of each.",
                ),
                io.Int.Output("duration", is_output_list=True, tooltip="The seconds of each."),
                io.Image.Output(
                    "end_image",
                    is_output_list=True,
                    tooltip="The last frame of each, for Vidu Image to Video; a shot without one "
                    "has none.",
                ),
            ],
            is_input_list=True,
        )

    @classmethod
    def validate_inputs(cls, shots: Sequence[str | None]) -> bool | str:
        """Refuse lines that cannot be used before the run; a linked list is None here."""
        try:
            if shots[0] is not None:
                read_shots(shots[0])
        except ViduError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        shots: list[str],
        base_seed: list[int],
        duration: list[int],
        image: Sequence[Any] = (),
        end_image: Sequence[Any] = (),
    ) -> io.NodeOutput:
        """Read the list, and give each of its shots its images."""
        listed = read_shots("\n".join(shots), single_value("base_seed", base_seed))
        usual_duration = single_value("duration", duration)
        images, end_images = host.single_images(image), host.single_images(end_image)
        firsts = [images[index] for index in assign_images(listed, len(images))] if images else []
        ends = assign_end_images(listed, len(end_images))
        return io.NodeOutput(
            firsts
            or host.blocked("Connect an image to Vidu Shots, or use its other outputs only."),
            [prompt_with_line(shot.prompt, shot.line) for shot in listed],
            [shot.seed for shot in listed],
            [shot.movement_amplitude for shot in listed],
            [shot.duration or usual_duration for shot in listed],
            [_end_of(index, end, firsts, end_images) for index, end in enumerate(ends)],
        )


def _end_of(
    index: int, end: str | int | None, firsts: Sequence[Any], end_images: Sequence[Any]
) -> Any:
    if end is None or isinstance(end, int):
        return None if end is None else end_images[end]
    if not firsts:
        return host.blocked(f"A line ends with {end}: connect an image to Vidu Shots.")
    return {LOOP: firsts[index], NEXT: firsts[(index + 1) % len(firsts)]}[end]
