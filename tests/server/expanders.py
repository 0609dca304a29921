"""Nodes that expand, for the tests: one that links back to ours, and one that makes one of ours."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import ComfyExtension, io
from comfy_execution.graph_utils import GraphBuilder


class LinksBack(io.ComfyNode):
    """Expands, once `after` is there, to a preview of the images of a node's output."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LinksBack",
            category="tests",
            inputs=[io.String.Input("after"), io.String.Input("node"), io.Int.Input("slot")],
            outputs=[io.String.Output("after")],
            is_output_node=True,
            enable_expand=True,
        )

    @classmethod
    def execute(cls, after: str, node: str, slot: int) -> io.NodeOutput:
        graph = GraphBuilder()
        graph.node("PreviewImage", images=[node, slot])
        return io.NodeOutput(after, expand=graph.finalize())


class MakesAClip(io.ComfyNode):
    """Expands to a Vidu Image to Video, and hands its frames on."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MakesAClip",
            category="tests",
            inputs=[io.Image.Input("image"), io.String.Input("prompt")],
            outputs=[io.Image.Output("frames")],
            enable_expand=True,
        )

    @classmethod
    def execute(cls, image: Any, prompt: str) -> io.NodeOutput:
        graph = GraphBuilder()
        model = {"model": "Vidu", "model.movement_amplitude": "auto"}
        usual = {"seed": 1, "mode": "live", "filename_prefix": "video/Inner", "max_cost": 5.0}
        clip = graph.node("FalViduImageToVideo", image=image, prompt=prompt, **usual, **model)
        return io.NodeOutput(clip.out(0), expand=graph.finalize())


class Expanders(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [LinksBack, MakesAClip]


async def comfy_entrypoint() -> Expanders:
    return Expanders()
