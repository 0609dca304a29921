"""The cost in sight: on the node before a run, and under it after one."""

from __future__ import annotations

import pytest

from .conftest import forget_runs
from .editor import EXAMPLE

NODE = "FalViduImageToVideo"
TWO_SHOTS = """() => {
    const find = (type) => app.graph.nodes.find((node) => node.type === type);
    const shots = LiteGraph.createNode("FalViduShots");
    app.graph.add(shots);
    shots.widgets[0].value = "The waves roll in.\\nThe lamp turns.";
    const vidu = find("FalViduImageToVideo");
    shots.connect(1, vidu, vidu.inputs.findIndex((slot) => slot.name === "prompt"));
}"""
LINKED_DURATION = """() => {
    const find = (type) => app.graph.nodes.find((node) => node.type === type);
    const shots = find("FalViduShots");
    const vidu = find("FalViduImageToVideo");
    const at = (slots, name) => slots.findIndex((slot) => slot.name === name);
    shots.connect(at(shots.outputs, "duration"), vidu, at(vidu.inputs, "model.duration"));
}"""
BATCH = """() => {
    const find = (type) => app.graph.nodes.find((node) => node.type === type);
    const batch = LiteGraph.createNode("ImageBatch");
    app.graph.add(batch);
    for (const slot of [0, 1]) find("LoadImage").connect(0, batch, slot);
    const vidu = find("FalViduImageToVideo");
    batch.connect(0, vidu, vidu.inputs.findIndex((slot) => slot.name === "image"));
}"""
NESTED_SUBGRAPH = """() => {
    for (const isInner of [(node) => node.type === "FalViduImageToVideo", (node) => node.subgraph])
        app.graph.convertToSubgraph(new Set([app.graph.nodes.find(isInner)]));
}"""
BADGES_OUTSIDE = """() =>
    app.graph.nodes.find((node) => node.subgraph).badges.map((each) => each().text)"""
MUTE_INNERMOST = """() => {
    const outer = app.graph.nodes.find((node) => node.subgraph);
    const inner = outer.subgraph.nodes.find((node) => node.subgraph);
    inner.subgraph.nodes.find((node) => node.type === "FalViduImageToVideo").mode = 2;
    app.api.dispatchCustomEvent("graphChanged");
}"""
SUBGRAPH = """() => {
    const vidu = app.graph.nodes.find((node) => node.type === "FalViduImageToVideo");
    app.graph.convertToSubgraph(new Set([vidu]));
}"""


def test_badge_shows_the_price(editor_in_both):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.wait_for_badge(NODE, "draft: free")
    editor.change(NODE, mode="live")
    editor.wait_for_badge(NODE, "$0.20")
    assert "draft: free" not in editor.badges(NODE)


def test_badge_follows_a_change_of_mode_in_nodes_2(editor):
    """There badges are text of the page; the classic canvas asks for them with each frame."""
    editor.set("Comfy.VueNodes.Enabled", True)
    editor.load(EXAMPLE)
    editor.page.get_by_text("draft: free", exact=True).wait_for()
    editor.change(NODE, mode="live")
    editor.page.get_by_text("$0.20", exact=True).wait_for()


def test_node_after_a_run_shows_what_it_cost(editor_in_both, key, comfy, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=5)
    editor.run()
    editor.page.get_by_text("$0.20: Vidu, 480x480, 48 frames").first.wait_for()
    editor.wait_for_badge(NODE, "saved: free")
    editor.run()
    editor.page.get_by_text("Unchanged since the last run: free").first.wait_for()
    forget_runs(comfy)
    editor.run()
    editor.page.get_by_text("Saved, free: Vidu, 480x480, 48 frames").first.wait_for()
    assert len(fal.ledger()["jobs"]) == 1


def test_notice_names_a_skipped_shot(editor_in_both, key, fal):
    fal.set_faults("content_policy_violation:1")
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", on_error="skip")
    editor.page.evaluate(TWO_SHOTS)
    editor.run()
    editor.page.get_by_role("alert").get_by_text("1 of 2 clips failed.").wait_for()


def test_node_shows_a_line_for_each_shot(editor_in_both, key, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live")
    editor.page.evaluate(TWO_SHOTS)
    editor.run()
    editor.page.get_by_text("2: $0.20").first.wait_for()
    shown = editor.page.locator(".vidu-lines:visible div").all_inner_texts()
    assert [line.strip() for line in shown] == [
        "1: $0.20: Vidu, 480x480, 48 frames",
        "2: $0.20: Vidu, 480x480, 48 frames",
    ]


@pytest.mark.parametrize(
    ("shots", "badge"),
    [(TWO_SHOTS, "2 x $0.20 = $0.40"), (BATCH, "up to $0.20 a clip")],
    ids=["a known number", "an open number"],
)
def test_badge_of_several_shots_shows_what_is_known_of_their_cost(
    editor_in_both, key, shots, badge
):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live")
    editor.page.evaluate(shots)
    editor.wait_for_badge(NODE, badge)


def test_badge_of_a_shot_list_with_lengths_of_its_own_shows_its_sum(editor_in_both, key):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", model="Q3 Turbo")
    editor.page.evaluate(TWO_SHOTS)
    editor.page.evaluate(LINKED_DURATION)
    editor.wait_for_badge(NODE, "2 x $0.385 = $0.77")


def test_badge_of_a_shot_list_counts_only_unsaved_shots(editor_in_both, key, fal):
    fal.set_faults("content_policy_violation:1")
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", on_error="skip")
    editor.page.evaluate(TWO_SHOTS)
    editor.run()
    editor.wait_for_badge(NODE, "$0.20")


def test_subgraph_shows_cost_and_lines_of_its_nodes(editor_in_both, key, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=8)
    editor.page.evaluate(SUBGRAPH)
    outside = "(node) => node.subgraph"
    script = f"() => app.graph.nodes.find({outside})?.badges.map((each) => each().text)"
    editor.page.wait_for_function(f"() => ({script})().includes('$0.20')")
    editor.run()
    editor.page.get_by_text("$0.20: Vidu, 480x480, 48 frames").first.wait_for()
    editor.page.wait_for_function(f"() => ({script})().includes('saved: free')")


def test_subgraph_in_a_subgraph_counts_each_node_once_and_no_muted_one(editor_in_both, key):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live")
    editor.wait_for_badge(NODE, "$0.20")
    editor.page.evaluate(NESTED_SUBGRAPH)
    badges = f"({BADGES_OUTSIDE})()"
    for _ in range(2):  # when the prices are read again, the inner subgraph has one as well
        with editor.page.expect_response("**/vidu/prices"):
            editor.page.evaluate("() => app.api.dispatchCustomEvent('graphChanged')")
        editor.page.wait_for_function(f"() => {badges}.some((text) => text.includes('$'))")
    editor.page.wait_for_function(f"() => {badges}.includes('$0.20')", timeout=3000)
    editor.page.evaluate(MUTE_INNERMOST)
    editor.page.wait_for_function(f"() => !{badges}.some((text) => text.includes('$'))")


def test_unchanged_graph_is_cached_in_both_modes(editor_in_both, key, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=9)
    editor.run()
    editor.video().wait_for()
    editor.run()
    editor.page.get_by_text("Unchanged since the last run: free").first.wait_for()
    prompt = editor.page.evaluate("async () => (await app.graphToPrompt()).output")
    (inputs,) = [node["inputs"] for node in prompt.values() if node["class_type"] == NODE]
    assert not [name for name in inputs if "preview" in name or "badge" in name]
