"""Any sequence of steps, budgets, restarts and clocks, against a ledger saved in a dict."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from blocking_ledger import BlockingLedger as Ledger
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from postgres_server import PostgresServer

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import BudgetExceededError, InvalidSettingError, LedgerUnavailableError
from vidu.ledger import Budget, ignore_ledger
from vidu.ledger.budget import start_of_day, start_of_month
from vidu.ledger.opening import LEDGER_FILE
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

PRICE = Decimal("0.20")
STILL = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)
SHOTS = [
    Request(VIDU_IMAGE_TO_VIDEO, "waves", seed, media={"image": (STILL,)}) for seed in range(3)
]
ALIVE = frozenset(State) - {State.FAILED}
OWED = frozenset({State.SUBMITTING, State.SUBMITTED, State.CANCELLED, State.FINISHED})
MOVES = {
    "mark_submitting": {State.RESERVED: State.SUBMITTING},
    "mark_submitted": {State.SUBMITTING: State.SUBMITTED},
    "mark_cancelled": dict.fromkeys((State.SUBMITTED, State.CANCELLED), State.CANCELLED),
    "mark_finished": dict.fromkeys(
        (State.SUBMITTED, State.CANCELLED, State.FINISHED, State.SAVED), State.FINISHED
    ),
    "mark_saved": {State.FINISHED: State.SAVED},
    "mark_failed": dict.fromkeys(State, State.FAILED),
}


SIZE = settings(max_examples=20, stateful_step_count=20, deadline=None)
TIMES = (
    *("reserved_at", "counted_at", "submitting_at", "submitted_at", "cancelled_at"),
    *("finished_at", "saved_at", "failed_at"),
)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.now = datetime(2026, 2, 27, 22, tzinfo=timezone.utc)
        self.clock_s = 0  # how far this machine's clock is ahead of fal's
        self.ledger = self.opened()
        self.rows: dict[int, Entry] = {}
        self.deleted: list[Entry] = []

    def opened(self) -> Ledger:
        return Ledger(self.home, now=lambda: self.now.timestamp() + self.clock_s)

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.home)
        with suppress(InvalidSettingError):
            ignore_ledger(self.home / LEDGER_FILE)

    def active(self, request: Request) -> Entry | None:
        alive = (row for row in self.rows.values() if row.state in ALIVE)
        return next((row for row in alive if row.fingerprint == request.fingerprint), None)

    def counted(self) -> list[Entry]:
        return [row for row in [*self.rows.values(), *self.deleted] if row.billed is not False]

    def spent(self, since: float) -> Decimal:
        known = [row.counted_at for row in self.counted()]
        return sum((PRICE for at in known if at is None or at >= since), Decimal(0))

    def is_over(self, budget: str, server_time: float | None) -> bool:
        stamps = [row.counted_at for row in [*self.rows.values(), *self.deleted]]
        latest = max((each for each in stamps if each is not None), default=0.0)
        since = start_of_day(latest if server_time is None else server_time)
        return budget != "0" and self.spent(since) + PRICE > Decimal(budget)

    def learn(self, server_time: float | None) -> None:
        def learned(row: Entry) -> Entry:
            return replace(row, counted_at=server_time) if row.counted_at is None else row

        self.rows = {row_id: learned(row) for row_id, row in self.rows.items()}
        self.deleted = [learned(row) for row in self.deleted]

    @rule(
        request=st.sampled_from(SHOTS),
        budget=st.sampled_from(["0", "0.19", "0.40", "9"]),
        is_told=st.booleans(),
    )
    def reserve(self, request: Request, budget: str, is_told: bool) -> None:
        known = self.active(request)
        server_time = self.now.timestamp() if is_told else None
        over = self.is_over(budget, server_time)
        try:
            row = self.ledger.reserve(request, Budget(Decimal(budget)), server_time)
        except BudgetExceededError:
            assert over
            assert not known
            return
        if known:
            assert row == known
        else:
            assert not over
            assert row.id not in self.rows
            self.learn(server_time)
        self.rows[row.id] = row

    @rule(
        name=st.sampled_from(sorted(MOVES)),
        billed=st.sampled_from([True, False, None]),
        at=st.integers(0, 99),
        is_told=st.booleans(),
    )
    def move(self, name: str, billed: bool | None, at: int, is_told: bool) -> None:
        if not self.rows:
            return
        row = list(self.rows.values())[at % len(self.rows)]
        given: dict[str, tuple[object, ...]] = {
            "mark_submitting": ({"seed": 7},),
            "mark_submitted": (RequestHandle(f"r-{row.id}", "s", "r", "c"),),
            "mark_finished": (Output("https://x/1.mp4", 7),),
            "mark_saved": (SavedFile(Path("1.mp4"), 7, "cd" * 32, 64, 64, 24.0, 96, 4.0),),
            "mark_failed": ("no",),
        }
        more: dict[str, object] = {"billed": billed} if name == "mark_failed" else {}
        server_time = self.now.timestamp() if is_told else None
        if name == "mark_submitting":
            more = {"server_time": server_time}
        try:
            moved = getattr(self.ledger, name)(row, *given.get(name, ()), **more)
        except LedgerUnavailableError:
            assert row.state not in MOVES[name]
            return
        assert moved.state is MOVES[name][row.state]
        self.rows[row.id] = moved
        if name == "mark_submitting":
            self.learn(server_time)

    @rule(at=st.integers(0, 99))
    def forget(self, at: int) -> None:
        if self.rows:
            row = self.rows.pop(list(self.rows)[at % len(self.rows)])
            self.ledger.delete(row)
            billed = False if row.state is State.RESERVED else row.billed
            self.deleted.append(replace(row, billed=billed))

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = self.opened()

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(hours=st.integers(-100, 100))
    def set_this_machines_clock(self, hours: int) -> None:
        self.clock_s = hours * 3600

    @invariant()
    def the_books_agree(self) -> None:
        assert self.ledger.entries() == sorted(self.rows.values(), key=lambda row: -row.id)
        assert [self.ledger.active(request.fingerprint) for request in SHOTS] == [
            self.active(request) for request in SHOTS
        ]
        owed = [row for row in self.rows.values() if row.state in OWED]
        assert self.ledger.unfinished() == sorted(owed, key=lambda row: row.id)

    @invariant()
    def no_shot_has_two_live_rows(self) -> None:
        alive = [row.fingerprint for row in self.ledger.entries() if row.state in ALIVE]
        assert len(alive) == len(set(alive))

    @invariant()
    def the_sums_agree(self) -> None:
        now = self.now.timestamp() + self.clock_s
        assert self.ledger.spent_today() == self.spent(start_of_day(now))
        assert self.ledger.spent_this_month() == self.spent(start_of_month(now))


class SharedLedgerMachine(LedgerMachine):
    """The same on a server, whose clock cannot be set: there the rows grow older instead."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        server.clear()
        super().__init__()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ledger.now(), timezone.utc)

    @now.setter
    def now(self, later: datetime) -> None:
        if not hasattr(self, "ledger"):  # the start of the other clock
            return
        seconds = (later - self.now).total_seconds()
        older = ", ".join(f"{name} = {name} - {seconds}" for name in TIMES)
        self.server.run_sql(f"UPDATE vidu.entries SET {older}")
        self.rows = {entry_id: self.ledger.get(entry_id) for entry_id in self.rows}
        self.deleted = [replace(row, counted_at=row.counted_at - seconds) for row in self.deleted]

    clock_s = property(lambda self: 0, lambda self, ahead_s: None)  # of no account here

    def is_over(self, budget: str, server_time: float | None) -> bool:
        return super().is_over(budget, self.now.timestamp())

    def opened(self) -> Ledger:
        return Ledger(self.home, environ={"VIDU_LEDGER": self.server.url})


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = SIZE


def test_shared_ledger_agrees_with_its_model_after_any_sequence(postgres):
    run_state_machine_as_test(lambda: SharedLedgerMachine(postgres), settings=SIZE)
