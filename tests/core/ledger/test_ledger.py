"""A shot's row: its states, its times, its steps, in SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import LedgerUnavailableError
from vidu.ledger import Budget, open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.ledger.schema import VERSION
from vidu.models import Entry, Output, State
from vidu.request import Request

from ...support.ledger_rows import (
    FILE,
    FILE_ONLY,
    FREE,
    MOVES,
    OUTPUT,
    PRICE,
    STILL,
    WAYS,
    handle,
    reserve_in_state,
    shot,
)

MADE_ALREADY = {("submitted", State.SUBMITTED), ("saved", State.SAVED)}


# -- the way of a shot ---------------------------------------------------------------------------


@FILE_ONLY
def test_mark_each_state_records_its_time(home):
    moments = iter(range(100, 900, 100))
    home.mkdir()
    with Ledger(home, now=lambda: next(moments)) as ledger:
        request = Request(
            VIDU_IMAGE_TO_VIDEO, "waves", 7, {"movement_amplitude": "large"}, {"image": (STILL,)}
        )
        ledger.reserve(request, Budget(FREE))
        row = ledger.active(request.fingerprint)
        for move in ("mark_submitting", "submitted", "cancelled", "finished", "saved"):
            row = MOVES[move][0](ledger, row)
    expected = Entry(
        id=1,
        fingerprint=request.fingerprint,
        endpoint="fal-ai/vidu/image-to-video",
        state=State.SAVED,
        prompt="waves",
        seed=7,
        options={"movement_amplitude": "large"},
        price_usd=PRICE,
        reserved_at=100,
        arguments={"prompt": "waves"},
        submitting_at=200,
        handle=handle(row),
        submitted_at=300,
        cancelled_at=400,
        output=OUTPUT,
        finished_at=500,
        file=FILE,
        saved_at=600,
        host=socket.gethostname(),
        revision=5,
    )
    assert row == expected
    with Ledger.open(home) as again:
        assert again.active(request.fingerprint) == again.get(1) == expected
        assert again.entries() == [expected]
    assert row.request_id == "r-1"


@pytest.mark.parametrize("billed", [True, False, None])
def test_mark_failed_records_reason_and_bill(ledger, billed):
    row = ledger.mark_failed(
        reserve_in_state(State.SUBMITTED, ledger), "As fal says.", billed=billed
    )
    assert (row.state, row.failure, row.billed) == (State.FAILED, "As fal says.", billed)
    assert row.failed_at is not None
    assert ledger.active(row.fingerprint) is None
    assert ledger.get(row.id) == row


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", MOVES)
def test_mark_from_another_state_is_refused(ledger, state, name):
    row = reserve_in_state(state, ledger)
    move, legal = MOVES[name]
    if (name, state) in MADE_ALREADY:  # its answer may have been lost: it is not made twice
        assert move(ledger, row) == row
        return
    if state in legal:
        assert move(ledger, row).state.value == {"mark_submitting": "submitting"}.get(name, name)
        return
    with pytest.raises(LedgerUnavailableError, match=f"changed row {row.id} "):
        move(ledger, row)
    assert ledger.get(row.id) == row


@pytest.mark.parametrize("name", sorted(MOVES.keys() - {"finished"}))
def test_mark_row_that_another_process_moved_is_refused(home, ledger, name):
    row = ledger.reserve(shot(), Budget(FREE))
    for step in {"submitted": ("mark_submitting",), "cancelled": WAYS[State.SUBMITTED]}.get(
        name, ()
    ):
        row = MOVES[step][0](ledger, row)
    if name == "saved":
        row = reserve_in_state(State.FINISHED, ledger, shot(1))
    with Ledger.open(home) as other:
        other.mark_failed(other.get(row.id), "faster", billed=False)
    with pytest.raises(LedgerUnavailableError, match="Another process"):
        MOVES[name][0](ledger, row)
    assert ledger.get(row.id).failure == "faster"


def test_mark_deleted_row_is_refused(ledger):
    row = reserve_in_state(State.SUBMITTED, ledger)
    ledger.delete(row)
    assert ledger.get(row.id) is None
    with pytest.raises(LedgerUnavailableError):
        ledger.mark_finished(row, OUTPUT)


def test_mark_finished_with_a_new_address_keeps_its_time(ledger):
    row = reserve_in_state(State.FINISHED, ledger)
    again = ledger.mark_finished(row, Output("https://x/2.mp4"))
    assert again.output == Output("https://x/2.mp4")
    assert again.finished_at == row.finished_at


def test_mark_finished_of_a_saved_row_keeps_its_path(ledger):
    row = reserve_in_state(State.SAVED, ledger)
    again = ledger.mark_finished(row, row.output)
    assert again == replace(row, state=State.FINISHED, revision=row.revision + 1)


# -- versions ------------------------------------------------------------------------------------


@FILE_ONLY
def test_open_ledger_of_a_newer_version_is_refused_and_left_alone(home, ledger):
    reserve_in_state(State.SAVED, ledger)
    ledger.close()
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (home / LEDGER_FILE).read_bytes()
    with pytest.raises(LedgerUnavailableError, match="newer version of this pack"):
        Ledger.open(home)
    assert (home / LEDGER_FILE).read_bytes() == before
    assert not list(home.glob("*damaged*"))


# -- one ledger, many users ------------------------------------------------------------------------


def test_entries_written_by_another_connection_are_seen_at_once(home, ledger):
    row = ledger.reserve(shot(), Budget(FREE))
    with Ledger.open(home) as other:
        moved = other.mark_submitting(row, {"prompt": "waves"})
        assert ledger.get(row.id) == moved
        assert other.mark_submitted(ledger.get(row.id), handle(row)) == ledger.active(
            row.fingerprint
        )


def test_ledger_shared_by_many_threads_writes_each_row(ledger):
    barrier = threading.Barrier(8)

    def make(worker: int) -> list[Entry]:
        barrier.wait()
        return [
            reserve_in_state(State.SAVED, ledger, shot(number, seed=worker)) for number in range(6)
        ]

    with ThreadPoolExecutor(8) as pool:
        rows = [row for made in pool.map(make, range(8)) for row in made]
    assert sorted(rows, key=lambda row: -row.id) == ledger.entries()
    assert {row.state for row in rows} == {State.SAVED}


def test_ledger_in_memory_ends_with_its_object():
    with Ledger(None) as ledger:
        reserve_in_state(State.SAVED, ledger)
        assert len(ledger.entries()) == 1
    with Ledger(None) as ledger:
        assert ledger.entries() == []
    assert not Path(":memory:").exists()


async def test_ledger_used_after_it_is_closed_says_so(home):
    async with open_ledger(home) as ledger:
        pass
    with pytest.raises(LedgerUnavailableError, match="closed"):
        await ledger.reserve(shot(), Budget())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits; the folder is the user's")
def test_open_ledger_folder_and_files_are_readable_by_their_owner_alone(tmp_path):
    """The ledger and its journal hold prompts."""
    home = tmp_path / "private"
    before = os.umask(0)
    try:
        with Ledger.open(home) as ledger:
            ledger.reserve(shot(), Budget())
            files = [path for path in home.rglob("*") if path.is_file() and path.stat().st_size]
            modes = {path.name: path.stat().st_mode & 0o777 for path in files}
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    assert LEDGER_FILE in modes
    assert set(modes.values()) == {0o600}, modes


def test_open_ledger_makes_its_folder(tmp_path):
    Ledger.open(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / LEDGER_FILE).exists()
