"""`ledger import`: rows of a file into a ledger of either kind, twice without harm."""

from __future__ import annotations

import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import InvalidSettingError, LedgerUnavailableError
from vidu.ledger import Budget, Outcome
from vidu.ledger.opening import LEDGER_FILE
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

PRICE = Decimal("0.20")


def shot(number: int) -> Request:
    image = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)
    return Request(VIDU_IMAGE_TO_VIDEO, f"shot {number}", media={"image": (image,)})


def submit(ledger: Ledger, number: int, name: str) -> Entry:
    row = ledger.mark_submitting(ledger.reserve(shot(number), Budget()), {})
    url = f"https://queue.fal.run/fal-ai/vidu/requests/{name}"
    return ledger.mark_submitted(row, RequestHandle(name, f"{url}/status", url, f"{url}/cancel"))


def save(ledger: Ledger, number: int, name: str) -> Entry:
    row = ledger.mark_finished(submit(ledger, number, name), Output("https://v3.fal.media/1.mp4"))
    ledger.save_metadata(row, {"workflow": name})
    file = SavedFile(Path("1.mp4"), 7, "cd" * 32, 64, 48, 24.0, 96, 4.0)
    return ledger.mark_saved(row, file)


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """A ledger's file: three saved rows, one submitted, one never sent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VIDU_LEDGER", raising=False)
        patch.setenv("VIDU_HOME", str(tmp_path / "another_user"))
        with Ledger.open(tmp_path / "theirs") as ledger:
            for number in range(3):
                save(ledger, number, f"theirs-{number}")
            submit(ledger, 3, "theirs-3")
            ledger.reserve(shot(4), Budget())
    return tmp_path / "theirs" / LEDGER_FILE


def test_import_adds_what_was_paid_for_and_changes_nothing_the_second_time(home, file):
    with Ledger.open(home) as ledger:
        counts = ledger.import_file(file)
        assert counts == {Outcome.ADDED: 4, Outcome.UNSENT: 1}
        before = ledger.entries()
        row = ledger.reserve(shot(1), Budget())
        assert (row.state, row.request_id) == (State.SAVED, "theirs-1")
        assert ledger.load_metadata(row) == {"workflow": "theirs-1"}
        assert ledger.import_file(file) == {Outcome.KNOWN: 4, Outcome.UNSENT: 1}
        assert ledger.entries() == before
        assert ledger.spent_today() == 4 * PRICE


def test_import_brings_a_row_up_to_what_became_of_it_since(home, file, tmp_path):
    with Ledger.open(home) as ledger:
        ledger.import_file(file)
        with contextlib.closing(sqlite3.connect(file)) as db:
            db.execute("UPDATE entries SET state = 'failed', revision = 9 WHERE id = 4")
            db.commit()
        assert ledger.import_file(file)[Outcome.UPDATED] == 1
        assert ledger.active(shot(3).fingerprint) is None


def test_import_of_a_shot_paid_for_on_both_sides_keeps_the_further_row_and_counts_both(home, file):
    with Ledger.open(home) as ledger:
        submit(ledger, 0, "ours-0")
        save(ledger, 3, "ours-3")
        counts = ledger.import_file(file)
        assert counts == {Outcome.ADDED: 2, Outcome.TWICE: 2, Outcome.UNSENT: 1}
        assert ledger.active(shot(0).fingerprint).request_id == "theirs-0"
        assert ledger.active(shot(3).fingerprint).request_id == "ours-3"
        assert ledger.spent_today() == 6 * PRICE


@pytest.mark.parametrize(
    ("column", "value"),
    [("status_url", "https://evil.example/"), ("sha256", "../x"), ("state", "x"), ("options", "[")],
)
def test_import_refuses_a_row_that_is_not_to_be_trusted(home, file, column, value):
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute(f"UPDATE entries SET {column} = ? WHERE id = 2", (value,))
        db.commit()
    with Ledger.open(home) as ledger:
        assert ledger.import_file(file)[Outcome.REFUSED] == 1
        assert ledger.active(shot(1).fingerprint) is None


def test_import_of_a_file_that_is_none_is_refused_in_words(home, tmp_path):
    (tmp_path / "text").write_text("no ledger " * 1000)
    with Ledger.open(home) as ledger:
        with pytest.raises(InvalidSettingError, match="There is no ledger"):
            ledger.import_file(tmp_path / "missing")
        with pytest.raises(LedgerUnavailableError, match="cannot be read as a ledger"):
            ledger.import_file(tmp_path / "text")


def test_imported_rows_come_back_from_the_journal_when_the_file_is_lost(home, file):
    with Ledger.open(home) as ledger:
        submit(ledger, 0, "ours-0")
        ledger.import_file(file)
        before = ledger.entries()
    (home / LEDGER_FILE).unlink(missing_ok=True)
    with Ledger.open(home) as ledger:
        assert ledger.entries() == before
        assert not ledger.is_incomplete()
        assert ledger.reserve(shot(1), Budget()).state is State.SAVED
