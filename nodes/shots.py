"""Vidu Shots: a shot list as text, into parallel lists for Vidu Image to Video."""

from __future__ import annotations

from collections.abc import Sequence

from ..vidu.endpoints import AMPLITUDE
from ..vidu.errors import ViduError
from ..vidu.request import SEED_MAX
from ..vidu.shots.shot_list import assign_images, read_shots
from . import host
from .host import io
from .input_lists import prompt_with_line, single_value

EXAMPLE = """# prompt | seed | amplitude
The waves roll in.
The lamp begins to turn. | 7 | small"""


class FalViduShots(io.ComfyNode):
    """Turns a shot list into one list for each input of Vidu Image to Video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduShots",
            display_name="Vidu Shots",
            category="video/Vidu",
            description=(
                "A shot list, one shot a line: prompt | seed | amplitude, the last two optional. "
                "Connect its outputs to Vidu Image to Video, and all shots run side by side."
            ),
            search_aliases=["vidu", "fal", "shot list", "storyboard", "batch", "prompts"],
            inputs=[
                io.String.Input(
                    "shots",
                    multiline=True,
                    default=EXAMPLE,
                    tooltip="One shot a line: prompt | seed | amplitude. Lines that begin with # "
                    "are comments. Put a prompt with a bar in it between double quotes.",
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
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The first frames, a batch or a list: one for all lines, or one each.",
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
        cls, shots: list[str], base_seed: list[int], image: Sequence[io.Image.Type] = ()
    ) -> io.NodeOutput:
        """Read the list, and give each of its shots an image."""
        listed = read_shots("\n".join(shots), single_value("base_seed", base_seed))
        images = host.single_images(image)
        return io.NodeOutput(
            [images[index] for index in assign_images(listed, len(images))]
            if images
            else host.blocked("Connect an image to Vidu Shots, or use its other outputs only."),
            [prompt_with_line(shot.prompt, shot.line) for shot in listed],
            [shot.seed for shot in listed],
            [shot.movement_amplitude for shot in listed],
        )
