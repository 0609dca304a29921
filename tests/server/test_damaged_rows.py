"""Rows of the ledger that are damaged, or that name what is not a clip."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_damaged_row_is_one_card(comfy, home, saved):
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET options = '{' WHERE id = ?", (saved,))
        db.commit()
    cards = comfy.http.get("/vidu/clips").raise_for_status().json()["clips"]
    (card,) = [card for card in cards if card["id"] == saved]
    assert card == {"id": saved, "state": "unreadable", "actions": ["forget"]}
    for what in ("thumbnail", "file", "workflow", "rerun"):
        assert comfy.http.get(f"/vidu/clips/{saved}/{what}").status_code == 404, what
    assert comfy.http.get("/vidu/state").status_code == 200
    comfy.http.delete(f"/vidu/clips/{saved}").raise_for_status()
    assert saved not in [card["id"] for card in comfy.http.get("/vidu/clips").json()["clips"]]
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET options = '{}', deleted_at = NULL WHERE id = ?", (saved,))
        db.commit()


@pytest.mark.parametrize("sha256", ["../../fal_key", "", "A" * 64, "0" * 63])
def test_hash_of_a_row_names_no_file(comfy, home, saved, sha256):
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET sha256 = ? WHERE id = ?", (sha256, saved))
        db.commit()
    assert comfy.http.get(f"/vidu/clips/{saved}/thumbnail").status_code == 404


def test_row_cannot_name_a_file_that_is_no_clip(comfy, home, saved, tmp_path):
    other = tmp_path / "passwords.txt"
    other.write_text("secret")
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET path = ? WHERE id = ?", (str(other), saved))
        db.commit()
    assert comfy.http.get(f"/vidu/clips/{saved}/file").status_code == 404


def test_damaged_duration_is_one_card(comfy, home, saved):
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET duration_s = 9e999, fps = -9e999 WHERE id = ?", (saved,))
        db.commit()
    text = comfy.http.get("/vidu/clips").raise_for_status().text
    assert "Infinity" not in text
    assert [card for card in json.loads(text)["clips"] if card["id"] == saved]
