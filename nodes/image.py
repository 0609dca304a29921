"""Vidu Image: a still from words, with the subjects of other images in it where there are some."""

from __future__ import annotations

from collections.abc import Sequence

from comfy_api.latest import io

from ..vidu.endpoint import Intention
from .generation import generate_stills
from .model_inputs import ModelInput, model_name, model_options, option_lists, socket_lists
from .run_inputs import (
    FILENAME_PREFIX,
    HIDDEN,
    MAX_COST,
    MODE,
    ON_ERROR,
    SEED,
    RunSettings,
    check_mode,
)
from .shot_requests import pair_shots


class FalViduImage(io.ComfyNode):
    """Makes stills with Vidu through fal; lists as in `FalViduImageToVideo`."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Return the node's face."""
        return io.Schema(
            node_id="FalViduImage",
            display_name="Vidu Image (fal)",
            category="video/Vidu",
            description=(
                "Makes a still image with Vidu on fal.ai for $0.10, with the people and things of "
                "your images in it where some are connected. The same inputs give the same image, "
                "free."
            ),
            search_aliases=["vidu", "fal", "text to image", "reference to image", "still"],
            inputs=[
                io.String.Input("prompt", multiline=True, tooltip="What should be seen."),
                io.DynamicCombo.Input(
                    "model",
                    options=model_options(Intention.IMAGE),
                    tooltip="Q2 does without images; Vidu needs at least one.",
                ),
                SEED,
                MODE,
                FILENAME_PREFIX,
                MAX_COST,
                ON_ERROR,
            ],
            outputs=[
                io.Image.Output("image", is_output_list=True, tooltip="The image."),
                io.String.Output("file_path", is_output_list=True, tooltip="The saved file."),
                io.String.Output(
                    "request_id", is_output_list=True, tooltip="fal's id of the request."
                ),
            ],
            hidden=HIDDEN,
            is_input_list=True,
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, mode: Sequence[str | None], *, model: object = None) -> bool | str:
        """Refuse a live run without a key before it begins."""
        return check_mode(mode)

    @classmethod
    async def execute(
        cls,
        prompt: list[str],
        seed: list[int],
        mode: list[str],
        filename_prefix: list[str],
        max_cost: list[float],
        model: ModelInput = None,
        on_error: Sequence[str] = ("stop",),
    ) -> io.NodeOutput:
        """Make the stills and hand them to the graph."""
        shots = pair_shots(
            Intention.IMAGE,
            model_name(model, Intention.IMAGE),
            prompt=prompt,
            seed=seed,
            filename_prefix=filename_prefix,
            options=option_lists(model),
            media={"images": socket_lists(model, "images")},
        )
        run = RunSettings.read(mode, max_cost, on_error)
        return await generate_stills(cls.hidden, shots, run)
