"""The Cancel button, in the middle of a paid run."""

from __future__ import annotations

from .editor import EXAMPLE

NODE = "FalViduImageToVideo"


def test_cancel_stops_cleanly_and_cancels_at_fal(editor_in_both, key, fal):
    editor = editor_in_both
    fal.set_faults("slow:1")
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", prompt="It never ends.")
    editor.start()
    editor.page.get_by_text("Generating (").first.wait_for()
    editor.page.get_by_role("button", name="Cancel current run").click()
    kind, _ = editor.end()
    assert kind == "execution_interrupted"
    assert editor.page.get_by_role("dialog").count() == 0
    (job,) = fal.ledger()["jobs"]
    assert job["cancels"]

    fal.set_faults("")
    editor.run()
