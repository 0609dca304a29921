"""One active row for each shot, whoever writes."""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import LedgerUnavailableError
from vidu.ledger import Budget
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import State

from ...support.ledger_rows import FILE_ONLY, FREE, all_at_once, reserve_in_state, shot


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_reserve_shot_with_an_active_row_is_refused(ledger, state):
    row = reserve_in_state(state, ledger)
    assert ledger.reserve(shot(), Budget(FREE)) == row
    assert ledger.entries() == [row]


def test_reserve_failed_shot_makes_a_new_row(ledger):
    first = reserve_in_state(State.FAILED, ledger)
    second = ledger.reserve(shot(), Budget(FREE))
    assert second.id > first.id
    assert ledger.active(second.fingerprint) == second
    assert ledger.entries() == [second, first]


@FILE_ONLY
def test_database_second_active_row_is_refused_to_any_program(ledger, home):
    row = reserve_in_state(State.SUBMITTED, ledger)
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        columns = (
            "fingerprint, endpoint, prompt, search_text, seed, options, price_micro_usd, "
            "reserved_at, revision"
        )
        for state, outcome in [
            ("reserved", pytest.raises(sqlite3.IntegrityError, match="UNIQUE")),
            ("failed", contextlib.nullcontext()),
        ]:
            with outcome:
                db.execute(
                    f"INSERT INTO entries (state, {columns}) "
                    f"SELECT ?, {columns} FROM entries WHERE id = ?",
                    (state, row.id),
                )


def test_reserve_from_many_threads_writes_one_row(ledger):
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda _: ledger.reserve(shot(), Budget(FREE)), range(64)))
    assert {row.id for row in rows} == {rows[0].id}


def test_mark_submitting_from_many_threads_passes_once(ledger):
    row = ledger.reserve(shot(), Budget(FREE))

    def post(_: int) -> bool:
        try:
            ledger.mark_submitting(row, {})
        except LedgerUnavailableError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(post, range(32))) == 1


@FILE_ONLY
def test_open_ledger_from_eight_processes_at_once_writes_each_row(home):
    script = """
for number in range(8):
    with Ledger.open(home / str(number)) as ledger:
        row = ledger.reserve(shot(number), Budget(Decimal(0)))
        try:
            ledger.mark_submitting(row, {})
            print(f"posts {number},", end="")
        except LedgerUnavailableError:
            pass
"""
    said = "".join(all_at_once(8, script, home))
    assert sorted(said.split(",")) == ["", *(f"posts {number}" for number in range(8))]
    for number in range(8):
        with Ledger.open(home / str(number)) as ledger:
            assert [row.id for row in ledger.entries()] == [1]
