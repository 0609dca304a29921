"""A node beside ours, for the tests: it waits for a word, then fails or takes the interrupt."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import ComfyExtension, io

TIMEOUT_S = 60.0


class Bystander(io.ComfyNode):
    """Waits until `folder` holds a file "go"."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Bystander",
            category="tests",
            inputs=[io.String.Input("folder"), io.Combo.Input("then", ["fail", "hold"])],
            is_output_node=True,
        )

    @classmethod
    async def execute(cls, folder: str, then: str) -> io.NodeOutput:
        await asyncio.to_thread(wait_for_the_word, Path(folder))
        if then == "fail":
            raise RuntimeError("The bystander failed.")
        hold(Path(folder))
        return io.NodeOutput()


def wait_for_the_word(folder: Path) -> None:
    until = time.monotonic() + TIMEOUT_S
    while not (folder / "go").exists() and time.monotonic() < until:
        time.sleep(0.02)


def hold(folder: Path) -> None:
    """As a core node at work: nothing else of this prompt runs until it sees the interrupt."""
    (folder / "holding").touch()
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        throw_exception_if_processing_interrupted()
        time.sleep(0.01)


class Bystanders(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [Bystander]


async def comfy_entrypoint() -> Bystanders:
    return Bystanders()
