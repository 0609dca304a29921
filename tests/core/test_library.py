"""The library's search and its thumbnails; tests/server has what is read over HTTP."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from blocking_ledger import BlockingLedger
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vidu.draft.render import render_clip
from vidu.ledger import Budget
from vidu.ledger.opening import LEDGER_FILE
from vidu.library import known_models, read_metadata, search_entries
from vidu.media.thumbnails import Thumbnails
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
async def test_search_prompt_in_any_alphabet_ignores_case(tmp_path, text, found):
    prompts = ("Waves roll in.", "\u043c\u043e\u0440\u0435", "L'\u00c9t\u00e9")
    fill(tmp_path, prompts)
    page = await search_entries(tmp_path, text=text, offset=0, limit=9)
    assert (page.total, len(page.entries)) == (found, found)


def fill(data_dir: Path, prompts: Sequence[str]) -> None:
    with BlockingLedger.open(data_dir) as ledger:
        for prompt in prompts:
            ledger.reserve(shot(prompt=prompt), Budget())


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> SavedFile:
    path: Path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    frame = np.full((36, 64, 3), 128, np.uint8)
    render_clip(path, frame, seed=1, movement_amplitude="auto", size=(64, 36), frame_count=2)
    return SavedFile(path, path.stat().st_size, "0", 64, 36, 24.0, 2, 2 / 24)


async def test_thumbnails_are_bounded_though_many_are_made_at_once(tmp_path, saved):
    thumbnails = Thumbnails(tmp_path / "thumbnails", most=5)
    files = [replace(saved, sha256=f"{number:064x}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(thumbnails.make, files))
    assert len({path.name for path in made}) == 40
    assert len(list((tmp_path / "thumbnails").iterdir())) == 5
    assert thumbnails.make(files[0]).is_file()


def test_workflow_of_a_clip_comes_from_the_ledger_before_its_file(saved, tmp_path):
    """The file may have been exchanged for another one since."""
    info = PngInfo()
    info.add_text("workflow", '{"of": "the file"}')
    Image.new("RGB", (64, 36)).save(tmp_path / "still.png", pnginfo=info)
    entry = SimpleNamespace(file=replace(saved, path=tmp_path / "still.png"))
    kept = {"workflow": '{"of": "the ledger"}'}
    assert read_metadata(entry, kept) == {"workflow": {"of": "the ledger"}}
    assert read_metadata(entry, {}) == {"workflow": {"of": "the file"}}


async def test_search_damaged_row_is_one_unreadable_entry(tmp_path):
    fill(tmp_path, ["A wave.", "A bird.", "A ship."])
    with closing(sqlite3.connect(tmp_path / LEDGER_FILE)) as db:
        db.execute("UPDATE entries SET options = '{' WHERE prompt = 'A bird.'")
        db.execute("UPDATE entries SET prompt = CAST(x'ff41' AS TEXT) WHERE prompt = 'A ship.'")
        db.commit()
    page = await search_entries(tmp_path, offset=0, limit=9)
    assert [type(entry).__name__ for entry in page.entries] == ["Entry", "UnreadableEntry", "Entry"]
    assert page.total == 3


async def test_search_finds_the_name_of_the_model(tmp_path):
    fill(tmp_path, ["A wave."])
    assert (await search_entries(tmp_path, text="vidu", offset=0, limit=9)).total == 1
    assert (await search_entries(tmp_path, model="Vidu", offset=0, limit=9)).total == 1
    assert (await search_entries(tmp_path, model="Q3", offset=0, limit=9)).total == 0
    assert await known_models(tmp_path) == ["Vidu"]
