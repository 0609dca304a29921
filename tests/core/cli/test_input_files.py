"""The files of a command line: patterns that no shell expanded, folders, missing files."""

from __future__ import annotations

import pytest

from vidu.cli._input_files import expand_files
from vidu.errors import InvalidInputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.png", "a.png", "c.jpg", "[1].png"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a.png", "c.jpg"], ["a.png", "c.jpg"]),
        (["?.png"], ["a.png", "b.png"]),
        (["*.jpg", "a.png"], ["c.jpg", "a.png"]),
        (["[1].png"], ["[1].png"]),
        (["[ab].png"], ["a.png", "b.png"]),
    ],
)
def test_expand_files_returns_what_a_pattern_matches(folder, names, found):
    assert [path.name for path in expand_files(names)] == found


def test_expand_files_of_an_absolute_pattern_returns_its_matches(folder):
    assert expand_files([str(folder / "*.jpg")]) == [folder / "c.jpg"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("*.webp", "No file matches *.webp."),
        ("sub", "sub is a folder."),
        ("missing.png", "There is no file missing.png."),
        ("*", "sub is a folder."),
    ],
)
def test_expand_files_refuses_what_is_no_file_in_its_own_words(folder, name, words):
    with pytest.raises(InvalidInputError) as refused:
        expand_files([name])
    assert refused.value.message == words
