"""Clips of other folders, copied to where the host serves them."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from ...support.file_holder import FileHolder


@pytest.fixture
def preview(pack, vidu_home):
    """Shows a clip; returns the copy that the host serves."""

    def preview(path: Path) -> list[Path]:
        shown = pack.nodes.host.preview([path]).results
        return [Path(vidu_home, "temp", each.filename) for each in shown]

    return preview


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"first")
    return path


def test_preview_clip_that_is_playing_is_shown_again(preview, clip, monkeypatch):
    (first,) = preview(clip)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "in use by another program")

    monkeypatch.setattr(shutil, "copyfile", refuse)
    FileHolder(monkeypatch, "replace", 99)
    assert preview(clip) == [first]
    assert first.read_bytes() == b"first"


def test_preview_changed_clip_is_shown_as_it_is_now(preview, clip):
    preview(clip)
    clip.write_bytes(b"a second")
    (shown,) = preview(clip)
    assert shown.read_bytes() == b"a second"


def test_preview_clip_that_cannot_be_copied_fails_no_run(preview, clip, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", refuse)
    assert preview(clip) == []
