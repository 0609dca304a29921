"""The cost in sight: on the node before a run, and under it after one."""

from __future__ import annotations

from pathlib import Path

from .conftest import forget_runs

EXAMPLE = Path(__file__).resolve().parents[2] / "example_workflows" / "image_to_video.json"
NODE = "FalViduImageToVideo"
TWO_SHOTS = """() => {
    const find = (type) => app.graph.nodes.find((node) => node.type === type);
    const shots = LiteGraph.createNode("FalViduShots");
    app.graph.add(shots);
    shots.widgets[0].value = "The waves roll in.\\nThe lamp turns.";
    const vidu = find("FalViduImageToVideo");
    shots.connect(1, vidu, vidu.inputs.findIndex((slot) => slot.name === "prompt"));
}"""


def test_the_price_is_on_the_node(editor_in_both):
    editor = editor_in_both
    editor.load(EXAMPLE)
    assert "draft: free" in editor.badges(NODE)
    editor.change(NODE, mode="live")
    assert "$0.20" in editor.badges(NODE)
    assert "draft: free" not in editor.badges(NODE)


def test_a_change_of_mode_is_seen_at_once_in_nodes_2(editor):
    """There badges are text of the page; the classic canvas asks for them with each frame."""
    editor.set("Comfy.VueNodes.Enabled", True)
    editor.load(EXAMPLE)
    editor.page.get_by_text("draft: free", exact=True).wait_for()
    editor.change(NODE, mode="live")
    editor.page.get_by_text("$0.20", exact=True).wait_for()


def test_after_a_run_the_node_says_what_it_cost(editor_in_both, key, comfy, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=5)
    editor.run()
    editor.page.get_by_text("$0.20: 480x480, 48 frames").first.wait_for()
    editor.run()
    editor.run()  # twice: in classic the player is a widget, which makes the inputs new once
    editor.page.get_by_text("Unchanged since the last run: free").first.wait_for()
    forget_runs(comfy)
    editor.run()
    editor.page.get_by_text("Saved clip, free: 480x480, 48 frames").first.wait_for()
    assert len(fal.ledger()["jobs"]) == 1


def test_a_skipped_shot_is_told_in_a_notice(editor_in_both, key, fal):
    fal.set_faults("content_policy_violation:1")
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", on_error="skip")
    editor.page.evaluate(TWO_SHOTS)
    editor.run()
    editor.page.get_by_role("alert").get_by_text("1 of 2 clips failed.").wait_for()


def test_each_shot_has_a_line_of_its_own(editor_in_both, key, fal):
    editor = editor_in_both
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live")
    editor.page.evaluate(TWO_SHOTS)
    editor.run()
    shown = editor.page.get_by_text("2: $0.20").first.inner_text()
    assert [line.strip() for line in shown.splitlines()] == [
        "1: $0.20: 480x480, 48 frames",
        "2: $0.20: 480x480, 48 frames",
    ]
