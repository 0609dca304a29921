"""A watched folder: each image with its prompt becomes a clip, whole and once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from vidu.cli._folder_watcher import FolderWatcher
from vidu.media.video import check

LOOK = ("--interval", "0.2")


@pytest.fixture
def inbox(tmp_path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def drop(inbox: Path, name: str, prompt: str | None = "A wave.", color: str = "navy") -> Path:
    image = inbox / f"{name}.png"
    Image.new("RGB", (64, 48), color).save(image)
    if prompt is not None:
        image.with_suffix(".txt").write_text(prompt, encoding="utf-8")
    return image


def until(said: Callable[[], bool], process) -> None:
    while not said():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def jobs(fal) -> list[dict]:
    return fal.ledger()["jobs"]


def test_watch_makes_clips_of_the_images_that_are_there(shell, swift_fal, inbox, tmp_path):
    drop(inbox, "one", "A wave.\n")
    drop(inbox, "two", "\ufeffA gull.", "teal")
    drop(inbox, "no prompt", None)
    (inbox / "no image.txt").write_text("A rock.")
    Image.new("RGB", (64, 48)).save(inbox / ".hidden.png")
    done = shell("watch", inbox, "--out", tmp_path, "--once", *LOOK)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {
        str(tmp_path / f"{n}_00001.mp4") for n in ("one", "two")
    }
    assert check(tmp_path / "one_00001.mp4").frame_count == 4
    assert {job["input"]["prompt"] for job in jobs(swift_fal)} == {"A wave.", "A gull."}


def test_watch_pays_once_even_when_the_clip_was_moved_away(shell, swift_fal, inbox, tmp_path):
    drop(inbox, "one")
    command = ("watch", inbox, "--out", tmp_path, "--once", "--json", *LOOK)
    (told,) = shell(*command).stdout.splitlines()
    Path(json.loads(told)["file_path"]).unlink()
    again = shell(*command)
    assert (again.returncode, again.stdout) == (0, "")
    assert len(jobs(swift_fal)) == 1
    assert swift_fal.ledger()["counts"]["downloads"] == 1


def test_watch_clip_paid_elsewhere_is_copied_free(shell, swift_fal, inbox, tmp_path):
    image = drop(inbox, "one")
    shell("generate", image, "--prompt", "A wave.", "--out", tmp_path / "before")
    done = shell("watch", inbox, "--out", tmp_path / "out", "--once", *LOOK)
    assert done.stdout.strip() == str(tmp_path / "out" / "one_00001.mp4")
    assert len(jobs(swift_fal)) == 1


def test_watch_new_images_become_clips(start, swift_fal, inbox, tmp_path):
    process = start("watch", inbox, "--out", tmp_path, *LOOK)
    drop(inbox, "one")
    assert process.stdout.readline().strip() == str(tmp_path / "one_00001.mp4")
    drop(inbox, "two", "A gull.")
    assert process.stdout.readline().strip() == str(tmp_path / "two_00001.mp4")
    assert len(jobs(swift_fal)) == 2


def test_watch_failure_is_reported_once_and_retried_when_the_image_changes(
    start, swift_fal, inbox, tmp_path
):
    process = start("watch", inbox, "--out", tmp_path, *LOOK)
    image = drop(inbox, "one", " ")
    assert process.stderr.readline().startswith("one.png: The prompt is empty.")
    image.with_suffix(".txt").write_text("A wave.")
    assert process.stdout.readline().strip() == str(tmp_path / "one_00001.mp4")
    assert len(jobs(swift_fal)) == 1


def test_watch_once_with_a_failure_exits_with_1(shell, swift_fal, inbox, tmp_path):
    swift_fal.set_faults("content_policy_violation:1")
    drop(inbox, "one")
    done = shell("watch", inbox, "--out", tmp_path, "--once", *LOOK)
    assert done.returncode == 1
    assert "one.png: fal's content checker refused" in done.stderr


def test_watch_folder_away_for_a_while_is_watched_again(start, open_fal, inbox, tmp_path):
    fal = open_fal(generation_seconds=1.5)
    drop(inbox, "one")
    process = start("watch", inbox, "--out", tmp_path, *LOOK, **fal.environment)
    until(lambda: any(job["polls"] for job in jobs(fal)), process)
    away = inbox.rename(tmp_path / "away")
    while "cannot be read" not in process.stderr.readline():
        assert process.poll() is None
    assert process.stdout.readline().strip() == str(tmp_path / "one_00001.mp4")
    away.rename(inbox)
    drop(inbox, "two", "A gull.")
    assert process.stdout.readline().strip() == str(tmp_path / "two_00001.mp4")
    assert (len(jobs(fal)), fal.ledger()["counts"]["cancels"]) == (2, 0)


def test_watch_missing_folder_is_refused(shell, tmp_path):
    done = shell("watch", tmp_path / "nowhere", "--out", tmp_path)
    assert done.returncode == 2
    assert "cannot be read" in done.stderr


def arrived(watcher: FolderWatcher) -> list[Path]:
    return [arrival.image for arrival in watcher.scan().arrivals]


def test_scan_returns_an_image_when_it_is_whole_and_again_when_it_changes(inbox):
    watcher = FolderWatcher(inbox)
    image = inbox / "one.png"
    image.write_bytes(b"half")
    assert arrived(watcher) == []
    assert arrived(watcher) == [], "it has no sidecar"
    image.with_suffix(".txt").write_text("A wave.")
    assert arrived(watcher) == []
    image.write_bytes(b"half and more")
    assert arrived(watcher) == [], "it still grows"
    assert arrived(watcher) == [image]
    assert arrived(watcher) == []
    image.with_suffix(".txt").write_text("A gull and a wave.")
    assert arrived(watcher) == []
    assert arrived(watcher) == [image]
    image.unlink()
    assert arrived(watcher) == []


@pytest.mark.parametrize("suffix", [".txt", ".TXT", ".Txt"])
def test_scan_takes_a_sidecar_in_capitals(inbox, suffix):
    watcher = FolderWatcher(inbox)
    image = drop(inbox, "Fox", None)
    (inbox / f"FOX{suffix}").write_text("A wave.")
    watcher.scan()
    assert arrived(watcher) == [image]


def test_scan_names_each_file_that_is_passed_over_once(inbox):
    drop(inbox, "no prompt", None)
    (inbox / "no image.txt").write_text("A rock.")
    (inbox / ".hidden.png").write_bytes(b"")
    (inbox / "notes.pdf").write_bytes(b"")
    (inbox / "folder").mkdir()
    watcher = FolderWatcher(inbox)
    assert watcher.scan().passed_over == [], "a prompt may come a moment later"
    assert watcher.scan().passed_over == [
        ".hidden.png is passed over: it is hidden.",
        "folder is passed over: it is a folder.",
        "no image.txt is passed over: there is no image named no image.",
        "no prompt.png is passed over: its prompt, no prompt.txt, is not there.",
        "notes.pdf is passed over: it is neither an image nor a prompt.",
    ]
    assert watcher.scan().passed_over == []
    drop(inbox, "no prompt", "A wave.")
    watcher.scan()
    (inbox / "no prompt.txt").unlink()
    watcher.scan()
    assert len(watcher.scan().passed_over) == 1, "it is told again when it happens again"


def test_scan_says_nothing_of_the_clips_it_made_itself(inbox):
    watcher = FolderWatcher(inbox)
    (inbox / "one_00001.mp4").write_bytes(b"")
    (inbox / ".abcdefgh27").write_bytes(b"half a clip")
    watcher.add_own(inbox / "one_00001.mp4")
    watcher.scan()
    assert watcher.scan().passed_over == []


def test_watch_reads_a_prompt_that_an_editor_saved_as_utf_16(shell, swift_fal, inbox, tmp_path):
    image = drop(inbox, "one", None)
    image.with_suffix(".txt").write_bytes("Das Caf\xe9 am Meer".encode("utf-16"))
    done = shell("watch", inbox, "--out", tmp_path, "--once", *LOOK)
    assert done.returncode == 0, done.stderr
    assert [job["input"]["prompt"] for job in jobs(swift_fal)] == ["Das Caf\xe9 am Meer"]
