"""An output that is connected after the first run: made from the saved clip, free."""

from __future__ import annotations

import time

import pytest

from .editor import EXAMPLE

NODE = "FalViduImageToVideo"
INTO_SUBGRAPH = """() => {
    const vidu = app.graph.nodes.find((node) => node.type === "FalViduImageToVideo");
    app.graph.convertToSubgraph(new Set([vidu]));
}"""
CONNECT_FRAMES = """() => {
    const vidu = app.graph.nodes.find((node) => node.type === "FalViduImageToVideo");
    const preview = LiteGraph.createNode("PreviewImage");
    app.graph.add(preview);
    vidu.connect(vidu.outputs.findIndex((slot) => slot.name === "frames"), preview, 0);
}"""
CONNECT_IN_SUBGRAPH = """() => {
    const outer = app.graph.nodes.find((node) => node.subgraph);
    const vidu = outer.subgraph.nodes.find((node) => node.type === "FalViduImageToVideo");
    const preview = LiteGraph.createNode("PreviewImage");
    outer.subgraph.add(preview);
    vidu.connect(vidu.outputs.findIndex((slot) => slot.name === "frames"), preview, 0);
}"""


def pictures_of(comfy) -> int:
    """How many pictures the newest prompt has shown; it leaves the queue for the history."""
    while comfy.http.get("/queue").json()["queue_running"]:
        time.sleep(0.02)
    newest = list(comfy.http.get("/history?max_items=1").json().values())[-1]
    outputs = newest["outputs"].values()
    shown = [image for each in outputs for image in each.get("images", ())]
    return sum(image["filename"].startswith("ComfyUI_temp") for image in shown)


@pytest.mark.parametrize("place", ["graph", "subgraph"])
def test_frames_connected_later_are_there_and_free(place, editor_in_both, key, fal, comfy):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=31)
    if place == "subgraph":
        editor.page.evaluate(INTO_SUBGRAPH)
    editor.run()
    assert pictures_of(comfy) == 0
    editor.page.evaluate(CONNECT_FRAMES if place == "graph" else CONNECT_IN_SUBGRAPH)
    editor.run()
    assert pictures_of(comfy) == 48
    assert len(fal.ledger()["jobs"]) == 1
