"""What a batch shows: its contact sheet and its progress bar."""

from __future__ import annotations

import io
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from vidu.cli._batch_progress import BatchProgress


class Page(HTMLParser):
    """What a browser would see of the contact sheet."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.videos: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        if tag == "video":
            self.videos.append(dict(attributes))

    def handle_data(self, data):
        self.text += data


def test_contact_sheet_shows_each_clip_and_each_failure(shell, swift_fal, manifest, tmp_path):
    swift_fal.set_faults("content_policy_violation:1")
    path = manifest(3, row_2={"prompt": '<b>bold</b> & "quoted"', "out": "a #1 clip"})
    shell("batch", path, "--out", tmp_path / "out", "--contact-sheet", "--concurrency", 1)
    page = Page(tmp_path / "out" / "contact_sheet.html")
    assert [unquote(video["src"]) for video in page.videos] == [
        "a #1 clip_00001.mp4",
        "s003_00001.mp4",
    ]
    assert all(video["poster"].startswith("data:image/jpeg;base64,/9j/") for video in page.videos)
    assert "#" not in page.videos[0]["src"]
    assert '<b>bold</b> & "quoted"' in page.text
    assert "2 of 3 clips" in page.text
    assert "content checker refused" in page.text


def test_contact_sheet_that_cannot_be_written_is_reported(shell, swift_fal, manifest, tmp_path):
    (tmp_path / "out" / "contact_sheet.html").mkdir(parents=True)
    done = shell("batch", manifest(1), "--out", tmp_path / "out", "--contact-sheet")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert "contact_sheet.html could not be written" in done.stderr
    assert "What succeeded is saved." in done.stderr
    assert "Traceback" not in done.stderr


class Terminal(io.StringIO):
    """Takes what is drawn, as a terminal does."""

    def isatty(self) -> bool:
        return True


def test_progress_bar_shows_clips_dollars_and_time_left():
    terminal = Terminal()
    with BatchProgress(4, terminal) as tally:
        tally.count_clip(Decimal("0.20"))
        tally.count_clip(Decimal("0.20"))
        tally.count_failure("s003: refused")
    drawn = terminal.getvalue()
    assert "2 of 4 clips |" in drawn
    assert "$0.40, 1 failed, 0" in drawn
    assert " left" in drawn
    assert "s003: refused\n" in drawn
    assert drawn.endswith("2 of 4 clips, $0.40, 1 failed\n")


def test_progress_bar_is_not_drawn_into_a_file():
    file = io.StringIO()
    with BatchProgress(1, file) as tally:
        tally.count_clip(Decimal("0.20"))
    assert file.getvalue() == "1 of 1 clips, $0.20\n"
