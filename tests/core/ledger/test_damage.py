"""A damaged ledger file: set aside, and every readable row rescued."""

from __future__ import annotations

import contextlib
import logging
import random
import sqlite3
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import Charge, LedgerIncompleteError, LedgerUnavailableError
from vidu.ledger import Budget
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import State

from ...support.ledger_rows import FREE, TIMEOUT_S, shot
from ...support.ledger_writers import ROWS, assert_whole, filled, handle, set_aside, start

PAGE = 4096


def overwrite(path: Path, first: int, past: int, content: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(first)
        file.write(content * ((past - first) // len(content)))


def page_with(path: Path, text: str) -> tuple[int, int]:
    first = path.read_bytes().index(text.encode()) // PAGE * PAGE
    return first, first + PAGE


NOISE = random.Random(7).randbytes(PAGE)


@pytest.mark.parametrize(
    ("first", "past"),
    [(0, 16), (0, 100), (16, 18), (100, PAGE), (0, PAGE)],
    ids=["magic", "header", "page size", "schema", "first page"],
)
@pytest.mark.parametrize("content", [NOISE, b"\0"], ids=["noise", "zeros"])
def test_open_ledger_with_a_damaged_beginning_rescues_every_row(
    tmp_path, caplog, first, past, content
):
    path = filled(tmp_path)
    with Ledger.open(tmp_path) as ledger:
        held = ledger.entries()
    overwrite(path, first, past, content[: past - first])
    damaged = path.read_bytes()
    with caplog.at_level(logging.WARNING), Ledger.open(tmp_path) as ledger:
        assert ledger.entries() == held
        assert ledger.reserve(shot(0), Budget(FREE)) == held[-1]
        assert ledger.reserve(shot(ROWS), Budget(FREE)).id == ROWS + 1
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == damaged
    assert_whole(path)
    assert aside.name in caplog.text
    assert f"{ROWS} rows rescued" in caplog.text
    assert not list(tmp_path.glob("rescue-*"))


@pytest.mark.parametrize("content", [NOISE, b"\0"], ids=["noise", "zeros"])
def test_open_ledger_with_a_damaged_page_rescues_all_rows_once(tmp_path, content):
    path = filled(tmp_path)
    overwrite(path, *page_with(path, "shot 100"), content)
    damaged = path.read_bytes()
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(LedgerUnavailableError) as met:
            ledger.entries()
        assert "was damaged: it is set aside" in str(met.value)
        assert met.value.charge is Charge.NOT_SPENT
        rescued = ledger.entries()
        assert len(rescued) == ROWS  # what the page held, the journal holds as well
        assert {row.state for row in rescued} == {State.SUBMITTED}
        assert all(row.handle == handle(row.id - 1) for row in rescued)
        ledger.reserve(shot(ROWS), Budget(FREE))
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == damaged
    assert_whole(path)


def test_reserve_meeting_damage_changes_nothing_and_repairs_it(tmp_path):
    path = filled(tmp_path)
    with Ledger.open(tmp_path) as ledger:
        held = ledger.entries()
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'one_active_entry'"
        (root,) = db.execute(query).fetchone()
    overwrite(path, (root - 1) * PAGE, root * PAGE, NOISE)
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(LedgerUnavailableError, match="was damaged"):
            ledger.reserve(shot(ROWS), Budget(FREE))
        assert ledger.entries() == held  # only an index was lost
        assert ledger.reserve(shot(ROWS), Budget(FREE)).id == ROWS + 1
    assert len(set_aside(tmp_path)) == 1


def test_open_ledger_rescued_by_another_process_is_reopened(tmp_path):
    path = filled(tmp_path)
    with Ledger.open(tmp_path) as one, Ledger.open(tmp_path) as other:
        overwrite(path, *page_with(path, "shot 100"), NOISE)
        with pytest.raises(LedgerUnavailableError, match="was damaged"):
            one.entries()
        # Written to the file that was set aside, it would be lost, and paid for again.
        row = other.reserve(shot(ROWS), Budget(FREE))
        assert one.get(row.id) == row
        assert one.entries() == other.entries() != []
    assert len(set_aside(tmp_path)) == 1


def test_damaged_ledger_met_by_eight_processes_is_rescued_once(tmp_path):
    path = filled(tmp_path)
    overwrite(path, 0, PAGE, NOISE)
    script = """
print("ready")
sys.stdin.readline()
with Ledger.open(home) as ledger:
    print(len(ledger.entries()))
"""
    children = [start(script, tmp_path) for _ in range(8)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=TIMEOUT_S)[0].strip() for child in children]
    assert said == [str(ROWS)] * 8
    assert len(set_aside(tmp_path)) == 1


@pytest.mark.parametrize("rows", [0, ROWS], ids=["all", "the last"])
def test_damaged_ledger_rows_of_the_log_are_rescued(tmp_path, rows):
    """A killed process leaves what it wrote last in the write-ahead log alone."""
    if rows:
        filled(tmp_path)
    script = """
ledger = Ledger.open(home)
row = ledger.reserve(shot(100), Budget(Decimal(0)))
if not row.handle:
    row = ledger.mark_submitting(row, {})
    row = ledger.mark_submitted(row, RequestHandle("r-100", "s", "r", "c"))
ledger.mark_cancelled(row)
print("written")
sys.stdin.readline()
"""
    with start(script, tmp_path) as child:
        assert child.stdout.readline() == "written\n"
        child.kill()
    path = tmp_path / LEDGER_FILE
    assert path.with_name(f"{LEDGER_FILE}-wal").stat().st_size > 0
    overwrite(path, 0, 100, NOISE[:100])
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger.entries()) == (rows or 1)
        assert ledger.active(shot(100).fingerprint).state is State.CANCELLED


@pytest.mark.parametrize("content", [b"not a database, only text " * 400, b"\0" * 9 * PAGE])
def test_open_ledger_on_a_foreign_file_sets_it_aside(tmp_path, content):
    (tmp_path / LEDGER_FILE).write_bytes(content)
    with Ledger.open(tmp_path) as ledger:
        assert ledger.entries() == []
        with pytest.raises(LedgerIncompleteError, match="may have been paid for already"):
            ledger.reserve(shot(0), Budget())
        ledger.accept_loss()
        ledger.reserve(shot(0), Budget())
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == content
