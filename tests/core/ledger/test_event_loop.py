"""Many tasks on one ledger: a shot's lock, and a slow commit that stalls nobody."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import LedgerUnavailableError
from vidu.ledger import Budget, open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.ledger.sqlite import SqliteDatabase
from vidu.models import State

from ...support.ledger_rows import FILE_ONLY, shot

SLOW_COMMIT_S = 2.0

# -- turns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "memory"])
async def test_lock_shot_admits_one_run_at_a_time(tmp_path, place):
    inside = 0
    async with open_ledger({"file": tmp_path, "memory": None}[place]) as ledger:

        async def visit() -> None:
            nonlocal inside
            async with ledger.lock_shot("ab" * 32, lambda _: None):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0.01)
                inside -= 1

        await asyncio.gather(*(visit() for _ in range(4)))
        async with (
            ledger.lock_shot("ab" * 32, lambda _: None),
            ledger.lock_shot("cd" * 32, lambda _: None),
        ):
            pass


@pytest.mark.parametrize("error", [FileNotFoundError("x"), TimeoutError(), sqlite3.Error("x")])
async def test_lock_shot_error_inside_is_raised_unchanged(ledger, error):
    with pytest.raises(type(error)) as raised:
        async with ledger.lock_shot("ab" * 32, lambda _: None):
            raise error
    assert raised.value is error


@FILE_ONLY
async def test_lock_shot_that_cannot_be_written_is_a_ledger_error(ledger, vidu_home):
    (vidu_home / "locks").write_text("no folder")
    with pytest.raises(LedgerUnavailableError, match="cannot be used"):
        async with ledger.lock_shot("ab" * 32, lambda _: None):
            pass


# -- off the event loop --------------------------------------------------------------------------


@FILE_ONLY
async def test_commit_of_two_seconds_stalls_no_other_task(home, monkeypatch):
    """One slow disk must not stall the polls of sibling shots."""
    ticks = []

    async def poll() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.02)

    async with open_ledger(home) as ledger:
        row = await ledger.reserve(shot(), Budget())
        monkeypatch.setattr(SqliteDatabase, "transaction", slowly(SqliteDatabase.transaction))
        polling = asyncio.create_task(poll())
        began = time.monotonic()
        await ledger.mark_submitting(row, {})
        polling.cancel()
    assert time.monotonic() - began >= SLOW_COMMIT_S
    gaps = [after - before for before, after in pairwise(ticks)]
    assert len(gaps) > 20
    assert max(gaps) < SLOW_COMMIT_S / 2


@FILE_ONLY
async def test_reserve_cancelled_while_writing_is_awaited_and_undone(home, monkeypatch):
    async with open_ledger(home) as ledger:
        row = await ledger.reserve(shot(), Budget())
        monkeypatch.setattr(SqliteDatabase, "transaction", slowly(SqliteDatabase.transaction))
        writing = asyncio.create_task(ledger.mark_submitting(row, {}))
        await asyncio.sleep(0.1)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert (await ledger.get(row.id)).state is State.SUBMITTING
        failed = await ledger.mark_unsent(row, "stopped")
        assert (failed.state, failed.billed) == (State.FAILED, False)
        assert await ledger.spent_today() == 0


def test_mark_unsent_row_that_another_process_submits_meanwhile_is_refused(home):
    with Ledger.open(home) as one, Ledger.open(home) as two:
        one.reserve(shot(), Budget())
        read = two.active(shot().fingerprint)
        posting = one.mark_submitting(read, {})
        with pytest.raises(LedgerUnavailableError, match="Another process"):
            two.mark_unsent(read, "its run ended before it was sent")
        assert one.active(shot().fingerprint) == posting
    with Ledger.open(home) as ledger:  # brings in what waits on this machine's disk
        assert ledger.active(shot().fingerprint) == posting
    (home / LEDGER_FILE).unlink(missing_ok=True)  # the journal of a file says the same
    with Ledger.open(home) as ledger:
        assert ledger.active(shot().fingerprint) == posting


def slowly(transaction: Any) -> Any:
    @contextlib.contextmanager
    def slow(*arguments: Any, **options: Any) -> Iterator[Any]:
        with transaction(*arguments, **options) as db:
            yield db
            time.sleep(SLOW_COMMIT_S)

    return slow
