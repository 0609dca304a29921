"""Any sequence of steps, budgets, restarts and midnights, against a ledger saved in a dict."""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from blocking_ledger import BlockingLedger as Ledger
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import BudgetExceededError, LedgerUnavailableError
from vidu.ledger import Budget
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


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.now = datetime(2026, 2, 27, 22, tzinfo=timezone.utc)
        self.ledger = self.opened()
        self.rows: dict[int, Entry] = {}

    def opened(self) -> Ledger:
        return Ledger(self.home, now=lambda: self.now.timestamp())

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.home)

    def active(self, request: Request) -> Entry | None:
        alive = (row for row in self.rows.values() if row.state in ALIVE)
        return next((row for row in alive if row.fingerprint == request.fingerprint), None)

    def spent(self, fmt: str) -> Decimal:
        today = self.now.strftime(fmt)
        counted = [row for row in self.rows.values() if row.billed is not False]
        last = (max(row.reserved_at, row.submitting_at or 0) for row in counted)
        days = (datetime.fromtimestamp(moment, timezone.utc).strftime(fmt) for moment in last)
        return sum((PRICE for day in days if day == today), Decimal(0))

    @rule(request=st.sampled_from(SHOTS), budget=st.sampled_from(["0", "0.19", "0.40", "9"]))
    def reserve(self, request: Request, budget: str) -> None:
        known = self.active(request)
        over = budget != "0" and self.spent("%Y-%m-%d") + PRICE > Decimal(budget)
        try:
            row = self.ledger.reserve(request, Budget(Decimal(budget)))
        except BudgetExceededError:
            assert over
            assert not known
            return
        if known:
            assert row == known
        else:
            assert not over
            assert row.id not in self.rows
        self.rows[row.id] = row

    @rule(
        name=st.sampled_from(sorted(MOVES)),
        billed=st.sampled_from([True, False, None]),
        at=st.integers(0, 99),
    )
    def move(self, name: str, billed: bool | None, at: int) -> None:
        if not self.rows:
            return
        row = list(self.rows.values())[at % len(self.rows)]
        given: dict[str, tuple[object, ...]] = {
            "mark_submitting": ({"seed": 7},),
            "mark_submitted": (RequestHandle(f"r-{row.id}", "s", "r", "c"),),
            "mark_finished": (Output("https://x/1.mp4", 7),),
            "mark_saved": (SavedFile(Path("1.mp4"), 7, "cd", 64, 64, 24.0, 96, 4.0),),
            "mark_failed": ("no",),
        }
        more = {"billed": billed} if name == "mark_failed" else {}
        try:
            moved = getattr(self.ledger, name)(row, *given.get(name, ()), **more)
        except LedgerUnavailableError:
            assert row.state not in MOVES[name]
            return
        assert moved.state is MOVES[name][row.state]
        self.rows[row.id] = moved

    @rule(at=st.integers(0, 99))
    def forget(self, at: int) -> None:
        if self.rows:
            self.ledger.delete(self.rows.pop(list(self.rows)[at % len(self.rows)]))

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = self.opened()

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

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
        assert self.ledger.spent_today() == self.spent("%Y-%m-%d")
        assert self.ledger.spent_this_month() == self.spent("%Y-%m")


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
