"""The rules in filename_prefix that the editor fills in for its own Save nodes."""

from __future__ import annotations

from datetime import date

from vidu.library import read_tags

from .editor import EXAMPLE

NODE = "FalViduImageToVideo"


def test_prefix_with_dates_and_widgets_is_filled_in(editor_in_both, key, base):
    editor = editor_in_both
    prefix = f"film/%date:yyyy-MM-dd%/%{NODE}.seed%_%LoadImage.image%"
    editor.load(EXAMPLE)
    editor.change(NODE, mode="live", seed=1234, filename_prefix=prefix)
    before = set(base.rglob("output/film/**/*.mp4"))
    today = {str(date.today())}
    editor.run()
    today.add(str(date.today()))  # where the run went past midnight
    (clip,) = set(base.rglob("output/film/**/*.mp4")) - before
    assert clip.parent.name in today
    assert clip.name.startswith("1234_lighthouse.png_0000")
    assert prefix in read_tags(clip)["workflow"], "the workflow keeps the rule"
