"""Clips brought to another folder: none replaces another, whoever comes at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier

import pytest

from vidu.cli._output import copy_into, copy_to
from vidu.destination import Destination
from vidu.errors import SaveError
from vidu.models import Clip

AT_ONCE = 8


def clip(path: Path, content: bytes) -> Clip:
    path.parent.mkdir()
    path.write_bytes(content)
    return Clip(path, "r", 0, 64, 48, 24.0, 4, 0.2, Decimal(0), True)


def test_output_clips_of_one_name_at_once_are_all_saved(tmp_path, clips):
    made = [
        clip(tmp_path / str(number) / "beach_00001.mp4", bytes([number]) * 2_000_000)
        for number in range(AT_ONCE)
    ]
    together = Barrier(AT_ONCE)

    def bring(each: Clip) -> Clip:
        together.wait()
        return copy_into(clips, each)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        brought = list(pool.map(bring, made))
    assert len({each.path for each in brought}) == AT_ONCE
    for each, original in zip(brought, made, strict=True):
        assert each.path.read_bytes() == original.path.read_bytes()
    assert len(list(clips.iterdir())) == AT_ONCE
    assert [copy_into(clips, each).path for each in made] == [each.path for each in brought]


def test_output_copy_that_cannot_be_written_names_the_saved_clip(tmp_path):
    made = clip(tmp_path / "there" / "a.mp4", b"mp4")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SaveError, match=r"a\.mp4 could not be copied to .*file") as failed:
        copy_to(Destination(tmp_path / "file", "b"), made)
    assert "paid for and not lost" in str(failed.value)
