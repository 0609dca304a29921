"""The library's search and its posters; tests/server has what is read over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blocking_ledger import BlockingLedger

from vidu.draft.client import render_clip
from vidu.ledger import Budget
from vidu.library import search_entries
from vidu.media.thumbnails import Posters
from vidu.models import SavedFile

from ..support.shots import shot


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("WAVES", 1),
        ("\u041c\u041e\u0420\u0415", 1),
        ("\u00e9T\u00c9", 1),
        ("%", 0),
        ("\\", 0),
        ("", 3),
    ],
)
def test_a_prompt_is_found_in_any_alphabet_whatever_its_case(tmp_path, text, found):
    prompts = ("Waves roll in.", "\u043c\u043e\u0440\u0435", "L'\u00c9t\u00e9")
    with BlockingLedger.open(tmp_path) as ledger:
        for prompt in prompts:
            ledger.reserve(shot(prompt=prompt), Budget())
    page = search_entries(tmp_path, text=text, offset=0, limit=9)
    assert (page.total, len(page.entries)) == (found, found)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> SavedFile:
    path: Path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    frame = np.full((36, 64, 3), 128, np.uint8)
    render_clip(path, frame, seed=1, movement_amplitude="auto", size=(64, 36), frame_count=2)
    return SavedFile(path, path.stat().st_size, "0", 64, 36, 24.0, 2, 2 / 24)


def test_posters_are_bounded_though_many_are_made_at_once(tmp_path, saved):
    posters = Posters(tmp_path / "posters", most=5)
    files = [replace(saved, sha256=f"{number:064x}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(posters.make, files))
    assert len({path.name for path in made}) == 40
    assert len(list((tmp_path / "posters").iterdir())) == 5
    assert posters.make(files[0]).is_file()
