"""Files replaced and removed while another program holds them, as happens on Windows."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vidu.files import DELAYS_S, remove_file, rename_to_new_name, replace_file

from ..support.file_holder import FileHolder


@pytest.fixture
def hold(monkeypatch):
    return lambda method, refusals: FileHolder(monkeypatch, method, refusals)


def test_replace_file_held_for_a_moment_is_replaced(hold, tmp_path):
    source, target = tmp_path / "part", tmp_path / "clip.mp4"
    source.write_text("new")
    target.write_text("old")
    holder = hold("replace", 3)
    assert replace_file(source, target, sleep=holder.slept_s.append) == target
    assert target.read_text() == "new"
    assert not source.exists()
    assert holder.slept_s == list(DELAYS_S[:3])


def test_replace_file_held_for_good_raises_and_leaves_both(hold, tmp_path):
    source, target = tmp_path / "part", tmp_path / "clip.mp4"
    source.write_text("new")
    target.write_text("old")
    holder = hold("replace", 99)
    with pytest.raises(PermissionError):
        replace_file(source, target, sleep=holder.slept_s.append)
    assert (source.read_text(), target.read_text()) == ("new", "old")
    assert sum(holder.slept_s) < 2


def test_replace_file_with_another_error_is_not_tried_again(tmp_path):
    slept_s = []
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none", tmp_path / "clip.mp4", sleep=slept_s.append)
    assert slept_s == []


def test_remove_file_held_for_a_moment_is_removed(hold, tmp_path):
    path = tmp_path / "part"
    path.touch()
    holder = hold("unlink", 2)
    remove_file(path, sleep=holder.slept_s.append)
    assert not path.exists()
    assert len(holder.slept_s) == 2


def test_remove_file_missing_file_is_no_error(tmp_path):
    remove_file(tmp_path / "none")


@pytest.mark.parametrize("windows", [False, True])
def test_rename_to_new_name_taken_name_is_refused(windows, tmp_path, monkeypatch):
    source, target = tmp_path / "part", tmp_path / "clip.mp4"
    source.write_text("new")
    target.write_text("another's")
    if windows:
        imitate_windows(monkeypatch)
    with pytest.raises(FileExistsError):
        rename_to_new_name(source, target)
    assert (source.read_text(), target.read_text()) == ("new", "another's")


@pytest.mark.parametrize("windows", [False, True])
def test_rename_to_new_name_held_for_good_leaves_no_empty_clip(
    windows, hold, tmp_path, monkeypatch
):
    source, target = tmp_path / "part", tmp_path / "clip.mp4"
    source.write_text("new")
    if windows:
        imitate_windows(monkeypatch)
    holder = hold("rename" if windows else "replace", 99)
    with pytest.raises(PermissionError):
        rename_to_new_name(source, target, sleep=holder.slept_s.append)
    assert not target.exists()
    holder.refusals = 2
    assert rename_to_new_name(source, target, sleep=holder.slept_s.append) == target
    assert target.read_text() == "new"


def imitate_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a rename to a name that is taken fails."""

    def rename(source: Path, target: Path) -> Path:
        if target.exists():
            raise FileExistsError(errno.EEXIST, "Cannot create a file", str(target))
        return source.replace(target)

    monkeypatch.setattr("vidu.files.ON_WINDOWS", True)
    monkeypatch.setattr(Path, "rename", rename)
