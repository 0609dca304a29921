"""The shared ledger of several machines: one shot, one budget, one clock."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import BudgetExceededError, LedgerUnavailableError
from vidu.ledger import Budget, open_ledger
from vidu.ledger.postgres import WRITERS
from vidu.ledger.schema import VERSION, create_statements
from vidu.models import State

from ...support.ledger_writers import start
from ...support.shared_rows import handle, shot

TIMEOUT_S = 60
MACHINES = 20
RESERVER = """
with Ledger.open(Path(sys.argv[1])) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    taken = 0
    for number in range(4):
        try:
            ledger.reserve(shot(f"{sys.argv[1]} {number}"), Budget(Decimal("2.00")))
        except BudgetExceededError:
            continue
        taken += 1
print(taken)
"""


async def test_lock_shot_two_machines_take_turns_and_the_second_is_told_who_works(machines):
    told: list[str] = []
    order: list[str] = []
    async with open_ledger(machines[0]) as one, open_ledger(machines[1]) as two:

        async def second() -> None:
            async with two.lock_shot(shot().fingerprint, told.append):
                order.append("second")

        async with one.lock_shot(shot().fingerprint, told.append):
            waiting = asyncio.create_task(second())
            while not told:  # noqa: ASYNC110 (told by a callback)
                await asyncio.sleep(0.05)
            order.append("first")
        await asyncio.wait_for(waiting, TIMEOUT_S)
    assert order == ["first", "second"]
    assert set(told) == {socket.gethostname()}


async def test_lock_shot_two_runs_of_one_ledger_take_turns(machines):
    inside = 0
    async with open_ledger(machines[0]) as ledger:

        async def run() -> None:
            nonlocal inside
            async with ledger.lock_shot(shot().fingerprint, lambda _: None):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0.01)
                inside -= 1

        await asyncio.gather(*(run() for _ in range(4)))


async def test_mark_submitting_after_the_lock_was_lost_is_refused(shared_ledger, machines):
    async with open_ledger(machines[0]) as ledger:
        row = await ledger.reserve(shot(), Budget())
        async with ledger.lock_shot(shot().fingerprint, lambda _: None):
            shared_ledger.run_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            )
            with pytest.raises(LedgerUnavailableError, match="Nothing was charged"):
                await ledger.mark_submitting(row, {})
            assert (await ledger.get(row.id)).state is State.RESERVED


async def test_mark_submitting_with_the_lock_held_goes_on(machines):
    async with (
        open_ledger(machines[0]) as ledger,
        ledger.lock_shot(shot().fingerprint, lambda _: None),
    ):
        row = await ledger.reserve(shot(), Budget())
        assert (await ledger.mark_submitting(row, {})).state is State.SUBMITTING


def test_row_of_one_machine_is_continued_by_another(machines):
    with Ledger.open(machines[0]) as one:
        row = one.mark_submitting(one.reserve(shot(), Budget()), {"prompt": "waves"})
        row = one.mark_submitted(row, handle(1))
    with Ledger.open(machines[1]) as two:
        assert two.unfinished() == [row]
        assert two.reserve(shot(), Budget()) == row
        assert two.mark_cancelled(row).state is State.CANCELLED


def test_reserve_from_20_machines_at_once_never_exceeds_the_budget(shared_ledger, tmp_path):
    machines = [start(RESERVER, tmp_path / str(machine)) for machine in range(MACHINES)]
    try:
        for machine in machines:
            assert machine.stdout.readline() == "ready\n", machine.stderr.read()
        for machine in machines:
            machine.stdin.write("go\n")
            machine.stdin.flush()
        taken = sum(int(machine.communicate(timeout=TIMEOUT_S)[0]) for machine in machines)
    finally:
        for machine in machines:
            machine.kill()
    with Ledger.open(tmp_path / "0") as ledger:
        assert (taken, ledger.spent_today()) == (10, Decimal("2.00"))


def test_times_are_the_servers_whatever_this_machines_clock_says(machines, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with Ledger.open(machines[0]) as ledger:
        row = ledger.reserve(shot(), Budget())
        now = ledger.now()
    (server,) = (
        psycopg.connect(shared_url()).execute("SELECT extract(epoch FROM now())::float8").fetchone()
    )
    assert abs(server - row.reserved_at) < TIMEOUT_S
    assert abs(server - now) < TIMEOUT_S


def shared_url() -> str:
    import os

    return os.environ["VIDU_LEDGER"]


def test_daily_budget_set_on_one_machine_holds_on_all(machines):
    with Ledger.open(machines[0]) as one, Ledger.open(machines[1]) as two:
        one.store_daily_budget(Decimal("0.30"))
        assert two.daily_budget() == Decimal("0.30")
        one.reserve(shot(1), Budget())
        for own_usd in ("0", "9.00"):
            with pytest.raises(BudgetExceededError, match=r"of today's \$0.30"):
                two.reserve(shot(2), Budget(Decimal(own_usd)))
        with pytest.raises(BudgetExceededError, match=r"of today's \$0.10"):
            two.reserve(shot(2), Budget(Decimal("0.10")))
        one.store_daily_budget(Decimal(0))
        assert two.reserve(shot(2), Budget()).state is State.RESERVED


def test_open_while_another_machine_makes_the_tables_uses_those(shared_ledger, machines):
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(shared_ledger.url) as other, ThreadPoolExecutor(1) as pool:
        other.execute(f"SELECT pg_advisory_xact_lock({WRITERS})")
        opening = pool.submit(Ledger.open, machines[0])
        deadline = time.monotonic() + TIMEOUT_S
        while not shared_ledger.run_sql(waiting) and time.monotonic() < deadline:
            time.sleep(0.05)
        other.execute("CREATE SCHEMA vidu")
        other.execute("SET search_path = vidu")
        for statement in create_statements("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"):
            other.execute(statement)
        other.execute("INSERT INTO facts VALUES ('version', %s)", (str(VERSION),))
        other.commit()
        with opening.result(TIMEOUT_S) as ledger:
            assert ledger.reserve(shot(), Budget()).state is State.RESERVED
