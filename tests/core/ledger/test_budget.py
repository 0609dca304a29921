"""The budgets of a day and of a run, and what counts as spent."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import BudgetExceededError
from vidu.ledger import Budget, open_ledger
from vidu.models import State

from ...support.ledger_rows import (
    FILE_ONLY,
    FREE,
    PRICE,
    Clock,
    all_at_once,
    reserve_in_state,
    shot,
)

# -- the budget ----------------------------------------------------------------------------------


def test_reserve_beyond_the_budget_by_a_cent_is_refused(ledger):
    for number in range(3):
        ledger.reserve(shot(number), Budget(Decimal("0.60")))
    with pytest.raises(BudgetExceededError) as refused:
        ledger.reserve(shot(3), Budget(Decimal("0.79")))
    text = str(refused.value)
    assert "$0.20" in text
    assert "$0.60 of today's $0.79" in text
    assert "VIDU_DAILY_BUDGET_USD" in text
    assert "Nothing was charged." in text
    assert ledger.active(shot(3).fingerprint) is None
    ledger.reserve(shot(3), Budget(Decimal("0.80")))


def test_reserve_with_a_budget_of_0_is_unlimited(ledger):
    for number in range(20):
        ledger.reserve(shot(number), Budget())
    assert ledger.spent_today() == Decimal("4.00")


def test_reserve_shot_with_its_row_needs_no_budget(ledger):
    row = reserve_in_state(State.SAVED, ledger)
    assert ledger.reserve(shot(), Budget(Decimal("0.01"))) == row


def test_reserve_from_many_threads_never_exceeds_the_budget(ledger):
    def intend(number: int) -> bool:
        try:
            ledger.reserve(shot(number), Budget(Decimal("1.10")))
        except BudgetExceededError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(intend, range(40))) == 5
    assert ledger.spent_today() == Decimal("1.00")


def test_reserve_from_many_processes_never_exceeds_the_budget(home):
    script = """
taken = 0
with Ledger.open(home) as ledger:
    for number in range(5):
        try:
            ledger.reserve(shot(f"{sys.argv[2]} {number}"), Budget(Decimal("2.00")))
            taken += 1
        except BudgetExceededError:
            pass
print(taken)
"""
    said = all_at_once(8, script, home)
    assert sum(map(int, said)) == 10
    with Ledger.open(home) as ledger:
        assert len(ledger.entries()) == 10
        assert ledger.spent_today() == Decimal("2.00")


# -- sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_spent_counts_unfinished_rows(ledger, state):
    reserve_in_state(state, ledger)
    assert ledger.spent_today() == ledger.spent_this_month() == PRICE


@pytest.mark.parametrize(("billed", "spent"), [(False, FREE), (True, PRICE), (None, PRICE)])
def test_spent_counts_a_failed_row_unless_it_is_known_to_be_free(ledger, billed, spent):
    ledger.mark_failed(reserve_in_state(State.SUBMITTED, ledger), "no", billed=billed)
    assert ledger.spent_today() == spent


def test_spent_of_an_empty_ledger_is_zero(ledger):
    assert ledger.spent_today() == ledger.spent_this_month() == 0


def test_spent_day_begins_at_midnight_utc_and_month_on_its_first(tmp_path):
    clock = Clock(2026, 2, 27, 12)
    with Ledger(tmp_path, now=clock) as ledger:
        for number, moment in enumerate(
            [(2026, 2, 28, 23, 59, 59), (2026, 3, 1), (2026, 3, 1, 0, 0, 1), (2026, 3, 2)]
        ):
            clock.set(*moment)
            ledger.reserve(shot(number), Budget(), clock())
        assert (ledger.spent_today(), ledger.spent_this_month()) == (PRICE, 3 * PRICE)
        clock.set(2026, 3, 1, 23, 59, 59)
        assert ledger.spent_today() == 3 * PRICE
        clock.set(2026, 2, 28)
        assert ledger.spent_this_month() == 4 * PRICE
        clock.set(2026, 4, 1)
        assert (ledger.spent_today(), ledger.spent_this_month()) == (FREE, FREE)


@FILE_ONLY
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no tzset")
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "UTC"])
def test_spent_day_is_the_same_in_every_time_zone(home, monkeypatch, zone):
    clock = Clock(2026, 3, 8)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with Ledger(home, now=clock) as ledger:
            ledger.reserve(shot(0), Budget(), clock())
            clock.now -= 1
            ledger.reserve(shot(1), Budget(), clock())
            clock.set(2026, 3, 8, 23, 59, 59)
            assert ledger.spent_today() == PRICE
    finally:
        monkeypatch.undo()
        time.tzset()


# -- the budget of one run -----------------------------------------------------------------------


def test_reserve_beyond_the_budget_of_a_run_is_refused_and_unbilled_amounts_return(home):
    budget = Budget(run_usd=Decimal("0.40"))
    with Ledger.open(home) as ledger, Ledger.open(home) as other:
        first = ledger.reserve(shot(0), budget)
        ledger.reserve(shot(1), budget)
        with pytest.raises(BudgetExceededError, match=r"\$0.40 of this run's \$0.40"):
            ledger.reserve(shot(2), budget)
        assert ledger.reserve(shot(0), budget) == first
        other.reserve(shot(3), budget)  # another run
        ledger.mark_failed(first, "no", billed=False)
        ledger.reserve(shot(2), budget)


async def test_reserve_many_shots_of_a_run_at_once_never_exceeds_its_budget(home):
    async with open_ledger(home) as ledger:
        reserving = (ledger.reserve(shot(number), Budget(run_usd=PRICE)) for number in range(8))
        results = await asyncio.gather(*reserving, return_exceptions=True)
        assert [type(each) for each in results].count(BudgetExceededError) == 7
        assert await ledger.spent_today() == PRICE
