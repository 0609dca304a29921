"""A folder that is tried before anything is paid."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vidu.destination import Destination
from vidu.errors import Charge, InvalidSettingError


def names(destination: Destination) -> list[str]:
    return sorted(path.name for path in destination.folder.iterdir())


def refusal(destination: Destination) -> str:
    with pytest.raises(InvalidSettingError) as caught:
        destination.check()
    assert caught.value.charge is Charge.NOT_SPENT
    return str(caught.value)


def test_check_leaves_nothing_but_the_folder(tmp_path):
    destination = Destination(tmp_path / "clips", "Vidu")
    destination.check()
    assert names(destination) == []


def test_check_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "clips").touch()
    for folder in (tmp_path / "clips", tmp_path / "clips" / "deep"):
        assert "there is a file" in refusal(Destination(folder, "Vidu"))


def test_check_link_to_a_drive_that_is_gone_is_said_so(tmp_path):
    (tmp_path / "video").symlink_to(tmp_path / "unplugged", target_is_directory=True)
    words = refusal(Destination(tmp_path / "video", "Vidu"))
    assert "link to a folder that is not there" in words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "Permission denied"),
        (errno.EROFS, "Read-only file system"),
        (errno.ENOSPC, "No space left on device"),
        (errno.EDQUOT, "quota"),
        (errno.ENAMETOOLONG, "File name too long"),
    ],
)
def test_check_what_the_file_system_refuses_is_named(code, words, tmp_path, monkeypatch):
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert words in refusal(Destination(tmp_path, "Vidu"))


def test_check_folder_that_is_not_utf_8_is_refused_before_the_ledger_is(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9"))
    assert "not valid UTF-8" in refusal(Destination(folder, "Vidu"))


def test_check_path_beyond_what_windows_takes_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr("vidu.destination.ON_WINDOWS", True)

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "The system cannot find the path", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert "up to 259 characters" in refusal(Destination(tmp_path / ("x" * 250), "Vidu"))
