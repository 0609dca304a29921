"""What a damaged, emptied, replaced or deleted ledger still knows, and what it then refuses."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import BudgetExceededError, LedgerIncompleteError, LedgerUnavailableError
from vidu.ledger import Budget, UnreadableEntry
from vidu.ledger.opening import LEDGER_FILE
from vidu.ledger.sqlite_file import journal_of
from vidu.ledger.sqlite_pages import Record, read_records
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

ROWS = 60
PAGE = 4096
NOISE = random.Random(3).randbytes(PAGE)
IMAGE = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)


def shot(number: int) -> Request:
    prompt = f"shot {number} " + "of a long walk along the shore " * 20
    return Request(VIDU_IMAGE_TO_VIDEO, prompt, media={"image": (IMAGE,)})


def handle(number: int) -> RequestHandle:
    return RequestHandle(f"r-{number}", "https://q/s", "https://q/r", "https://q/c")


def save(ledger: Ledger, number: int) -> Entry:
    row = ledger.mark_submitting(ledger.reserve(shot(number), Budget()), {"prompt": "p" * 5000})
    row = ledger.mark_finished(
        ledger.mark_submitted(row, handle(number)), Output("https://x/1.mp4")
    )
    file = SavedFile(Path(f"clips/{number}.mp4"), 7, "cd" * 32, 64, 48, 24.0, 96, 4.0)
    return ledger.mark_saved(row, file)


@pytest.fixture
def home(tmp_path) -> Path:
    """A ledger with saved rows and the workflows of their clips, all of it in its file."""
    with Ledger.open(tmp_path) as ledger:
        for number in range(ROWS):
            ledger.save_metadata(save(ledger, number), {"workflow": f"w{number}"})
    return tmp_path


def held(home: Path) -> list[Entry]:
    with Ledger.open(home) as ledger:
        return ledger.entries()


def damage(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    if kind == "emptied":
        data = bytearray()
    elif kind == "zeros":
        data = bytearray(len(data))
    elif kind == "junk root page":
        with contextlib.closing(sqlite3.connect(path)) as db:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'entries'"
            (root,) = db.execute(query).fetchone()
        data[(root - 1) * PAGE : root * PAGE] = NOISE
    elif kind == "deleted":
        path.unlink()
        return
    path.write_bytes(data)


KINDS = ["emptied", "zeros", "junk root page", "deleted"]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_ledger_with_its_journal_knows_every_row(home, kind):
    before = held(home)
    damage(home / LEDGER_FILE, kind)
    with Ledger.open(home) as ledger:
        assert ledger.entries() == before
        assert not ledger.is_incomplete()
        assert ledger.reserve(shot(5), Budget()) == before[ROWS - 6]
        with pytest.raises(BudgetExceededError):
            ledger.reserve(shot(ROWS), Budget(before[0].price_usd * ROWS))
        assert ledger.reserve(shot(ROWS), Budget()).id == ROWS + 1


def test_junk_root_page_without_a_journal_loses_no_row_and_no_workflow(home):
    before = held(home)
    damage(home / LEDGER_FILE, "junk root page")
    journal_of(home / LEDGER_FILE).path.unlink()
    with Ledger.open(home) as ledger:
        assert ledger.entries() == before
        assert not ledger.is_incomplete()
        assert ledger.load_metadata(before[0]) == {"workflow": f"w{ROWS - 1}"}


def test_rows_lost_without_a_journal_make_the_ledger_refuse_new_shots(home):
    path = home / LEDGER_FILE
    journal_of(path).path.unlink()
    data = path.read_bytes()
    at = data.index(b"shot 30 ") // PAGE * PAGE
    path.write_bytes(data[:at] + NOISE + data[at + PAGE :])
    with Ledger.open(home) as ledger:
        with pytest.raises(LedgerUnavailableError):
            ledger.entries()
        assert ROWS - 4 <= len(ledger.entries()) < ROWS
        assert ledger.is_incomplete()
        with pytest.raises(LedgerIncompleteError, match="accept-loss"):
            ledger.reserve(shot(30), Budget())
        assert ledger.reserve(shot(1), Budget()).state is State.SAVED
    with Ledger.open(home) as ledger:
        ledger.accept_loss()
        assert ledger.reserve(shot(30), Budget()).state is State.RESERVED


def test_torn_last_line_of_the_journal_spoils_no_other_line(home):
    before = held(home)
    journal = journal_of(home / LEDGER_FILE).path
    with journal.open("ab") as file:
        file.write(b'\n0badbeef {"id": 3, "finger')
    with Ledger.open(home) as ledger:
        newest = save(ledger, ROWS)
    (home / LEDGER_FILE).unlink()
    assert held(home) == [newest, *before]


def test_ledger_restored_from_an_older_copy_takes_the_rest_from_its_journal(home, tmp_path):
    older = tmp_path / "older"
    shutil.copy(home / LEDGER_FILE, older)
    with Ledger.open(home) as ledger:
        newest = save(ledger, ROWS)
        before = ledger.entries()
    shutil.copy(older, home / LEDGER_FILE)
    with Ledger.open(home) as ledger:
        assert ledger.entries() == before
        assert ledger.reserve(shot(ROWS), Budget()) == newest


@pytest.mark.parametrize("how", ["replaced", "deleted"])
def test_row_in_memory_goes_back_into_a_ledger_that_was_replaced(home, tmp_path, how):
    older = tmp_path / "older"
    shutil.copy(home / LEDGER_FILE, older)
    with Ledger.open(home) as ledger:
        row = ledger.mark_submitting(ledger.reserve(shot(ROWS), Budget()), {})
        journal_of(home / LEDGER_FILE).path.unlink()
        for suffix in ("", "-wal", "-shm"):
            (home / f"{LEDGER_FILE}{suffix}").unlink(missing_ok=True)
        if how == "replaced":
            shutil.copy(older, home / LEDGER_FILE)
        row = ledger.mark_submitted(row, handle(ROWS))
        assert (row.state, row.request_id) == (State.SUBMITTED, f"r-{ROWS}")
        assert ledger.active(shot(ROWS).fingerprint) == row
    with Ledger.open(home) as ledger:
        assert ledger.active(shot(ROWS).fingerprint) == row


def test_ledger_that_could_not_be_reopened_once_is_open_the_next_time(home, monkeypatch):
    monkeypatch.setattr("vidu.ledger.sqlite_file.LOCK_LIMIT_S", 0.1)
    with Ledger.open(home) as ledger:
        before = ledger.entries()
        shutil.copy(home / LEDGER_FILE, home / "copy")
        (home / "copy").replace(home / LEDGER_FILE)
        from filelock import FileLock

        with FileLock(home / f"{LEDGER_FILE}.opening"), pytest.raises(LedgerUnavailableError):
            ledger.entries()
        assert ledger.entries() == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "sa\x01ed"),
        ("options", "{"),
        ("fps", float("inf")),
        ("sha256", "../../etc/passwd"),
        ("prompt", b"\xff\xfe"),
        ("price_micro_usd", -1),
        ("output_kind", "script"),
    ],
)
def test_unreadable_row_is_a_value_on_its_page_and_refuses_only_its_own_shot(home, column, value):
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        db.execute(f"UPDATE entries SET {column} = ? WHERE id = 7", (value,))
        db.commit()
    with Ledger.open(home) as ledger:
        page = ledger.entries()
        (unreadable,) = (row for row in page if isinstance(row, UnreadableEntry))
        assert (len(page), unreadable.id) == (ROWS, 7)
        assert column in unreadable.reason
        with pytest.raises(LedgerUnavailableError, match="Row 7 of the ledger"):
            ledger.reserve(shot(6), Budget())
        assert ledger.reserve(shot(7), Budget()).state is State.SAVED
        ledger.delete(unreadable)
        assert ledger.reserve(shot(6), Budget()).state is State.RESERVED


def test_deleted_row_stays_deleted_when_its_file_is_lost(home):
    with Ledger.open(home) as ledger:
        ledger.delete(ledger.get(3))
    (home / LEDGER_FILE).unlink()
    with Ledger.open(home) as ledger:
        assert ledger.get(3) is None


def test_stale_copy_of_a_failed_row_does_not_fail_the_saved_row_of_its_shot(home, monkeypatch):
    path = home / LEDGER_FILE
    with Ledger.open(home) as ledger:
        failed = ledger.mark_submitting(ledger.reserve(shot(ROWS), Budget()), {})
        with contextlib.closing(sqlite3.connect(path)) as db:
            stale = db.execute("SELECT * FROM entries WHERE id = ?", (failed.id,)).fetchone()
        ledger.mark_failed(failed, "it never arrived", billed=False)
        saved = save(ledger, ROWS)

    def read_stale(damaged: Path) -> Iterator[Record]:
        for record in read_records(damaged):
            yield Record(failed.id, stale) if record.row_id == failed.id else record

    monkeypatch.setattr("vidu.ledger.salvage.read_records", read_stale)
    damage(path, "junk root page")
    with Ledger.open(home) as ledger:
        assert ledger.get(failed.id).state is State.FAILED
        assert ledger.reserve(shot(ROWS), Budget()) == saved


def test_open_journal_with_a_refused_change_still_opens(tmp_path):
    """fal answered a paid POST with another row's id: the file refused it, the journal did not."""
    with Ledger.open(tmp_path) as ledger:
        save(ledger, 1)
        row = ledger.mark_submitting(ledger.reserve(shot(2), Budget()), {})
        with pytest.raises(LedgerUnavailableError):
            ledger.mark_submitted(row, handle(1))
    with Ledger.open(tmp_path) as ledger:
        again = ledger.active(shot(2).fingerprint)
        assert again is not None
        assert (again.state, again.request_id) == (State.SUBMITTING, "")
        assert ledger.mark_submitted(again, handle(2)).state is State.SUBMITTED
    with Ledger.open(tmp_path) as ledger:
        assert [row.request_id for row in ledger.entries()] == ["r-2", "r-1"]
