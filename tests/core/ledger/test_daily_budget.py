"""The day that a row counts on: fal's clock begins it, and this machine's does not."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import BudgetExceededError
from vidu.ledger import Budget
from vidu.models import State

from ...support.ledger_rows import PRICE, Clock, shot

BEFORE_MIDNIGHT = datetime(2026, 7, 15, 23, 59, 59, tzinfo=timezone.utc).timestamp()
AFTER_MIDNIGHT = BEFORE_MIDNIGHT + 2
DAY_S = 86_400


def test_reserve_after_midnight_by_fals_clock_has_a_fresh_budget(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        with pytest.raises(BudgetExceededError, match="It is 2026-07-15 23:59 UTC"):
            ledger.reserve(shot(1), Budget(PRICE), BEFORE_MIDNIGHT)
        ledger.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)


@pytest.mark.parametrize("jump_s", [DAY_S, 400 * DAY_S, -DAY_S, -400 * DAY_S])
@pytest.mark.parametrize("server_time", [BEFORE_MIDNIGHT, None])
def test_reserve_with_this_machines_clock_set_has_no_fresh_budget(tmp_path, jump_s, server_time):
    clock = Clock(2026, 7, 15, 23, 59, 50)
    with Ledger(tmp_path, now=clock) as ledger:
        ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        clock.now += jump_s
        with pytest.raises(BudgetExceededError, match=r"\$0.20 of today's"):
            ledger.reserve(shot(1), Budget(PRICE), server_time)
        ledger.reserve(shot(2), Budget(), server_time)
        clock.now -= jump_s
        with pytest.raises(BudgetExceededError, match=r"\$0.40 of today's"):
            ledger.reserve(shot(1), Budget(PRICE * 2), BEFORE_MIDNIGHT)


def test_reserve_with_this_machines_clock_set_between_two_ledgers_has_no_fresh_budget(tmp_path):
    clock = Clock(2026, 7, 15)
    with Ledger(tmp_path / "one", now=clock) as one, Ledger(tmp_path / "other", now=clock) as other:
        one.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        clock.now += DAY_S
        for server_time in (BEFORE_MIDNIGHT, None):
            with pytest.raises(BudgetExceededError):
                other.reserve(shot(1), Budget(PRICE), server_time)
        other.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)


def test_reserve_without_fals_time_goes_on_with_the_last_day_that_any_ledger_knows(tmp_path):
    with Ledger.open(tmp_path) as ledger, Ledger.open(tmp_path / "another") as another:
        ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        another.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)
        ledger.reserve(shot(2), Budget(PRICE * 2))
        with pytest.raises(BudgetExceededError, match=r"\$0.40 of today's \$0.40"):
            another.reserve(shot(3), Budget(PRICE * 2))


def test_reserve_counts_a_row_that_two_ledgers_have_once(tmp_path):
    with Ledger.open(tmp_path) as ledger, Ledger.open(tmp_path / "another") as another:
        row = ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        ledger.mark_submitting(row, {}, server_time=BEFORE_MIDNIGHT)
        assert another.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT).state is State.SUBMITTING
        another.reserve(shot(1), Budget(PRICE * 2), BEFORE_MIDNIGHT)


def test_row_whose_time_fal_did_not_tell_counts_on_the_day_that_fal_tells_next(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        unknown = ledger.reserve(shot(0), Budget(PRICE))
        assert unknown.counted_at is None
        with pytest.raises(BudgetExceededError, match="fal does not tell its time"):
            ledger.reserve(shot(1), Budget(PRICE))
        with pytest.raises(BudgetExceededError):
            ledger.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)
        ledger.reserve(shot(1), Budget(PRICE * 2), AFTER_MIDNIGHT)
        ledger.reserve(shot(2), Budget(PRICE), AFTER_MIDNIGHT + DAY_S)


def test_row_whose_time_fal_did_not_tell_is_sent_on_the_day_that_fal_tells(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        unknown = ledger.reserve(shot(0), Budget(PRICE))
        sent = ledger.mark_submitting(unknown, {}, server_time=AFTER_MIDNIGHT, budget=Budget(PRICE))
        assert sent.counted_at == AFTER_MIDNIGHT
        ledger.reserve(shot(1), Budget(PRICE), BEFORE_MIDNIGHT + 2 * DAY_S)


def test_row_that_another_one_gave_a_day_has_to_fit_into_the_next(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        unknown = ledger.reserve(shot(0), Budget(PRICE))
        ledger.reserve(shot(1), Budget(PRICE * 2), BEFORE_MIDNIGHT)
        ledger.reserve(shot(2), Budget(PRICE), AFTER_MIDNIGHT)
        with pytest.raises(BudgetExceededError, match=r"\$0.20 of today's"):
            ledger.mark_submitting(unknown, {}, server_time=AFTER_MIDNIGHT, budget=Budget(PRICE))


@pytest.mark.parametrize("passed_s", [0, 60, -60])
def test_row_sent_on_the_day_of_its_reservation_counts_once(tmp_path, passed_s):
    noon = BEFORE_MIDNIGHT - DAY_S / 2
    with Ledger.open(tmp_path) as ledger:
        row = ledger.reserve(shot(0), Budget(PRICE), noon)
        sent = ledger.mark_submitting(row, {}, server_time=noon + passed_s, budget=Budget(PRICE))
        assert sent.counted_at == noon + passed_s
        with pytest.raises(BudgetExceededError, match=r"\$0.20 of today's \$0.39"):
            ledger.reserve(shot(1), Budget(PRICE * 2 - PRICE / 20), noon)


def test_row_reserved_before_midnight_and_sent_after_it_counts_on_the_new_day_alone(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        row = ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        row = ledger.mark_submitting(row, {}, server_time=AFTER_MIDNIGHT, budget=Budget(PRICE))
        assert row.counted_at == AFTER_MIDNIGHT
        with pytest.raises(BudgetExceededError):
            ledger.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)
    with Ledger.open(tmp_path / "another") as another, pytest.raises(BudgetExceededError):
        another.reserve(shot(2), Budget(PRICE), AFTER_MIDNIGHT)


def test_row_reserved_before_midnight_is_not_sent_over_the_budget_of_the_new_day(tmp_path):
    with Ledger.open(tmp_path) as ledger, Ledger.open(tmp_path / "another") as another:
        row = ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        another.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)
        with pytest.raises(BudgetExceededError, match=r"\$0.20 of today's"):
            ledger.mark_submitting(row, {}, server_time=AFTER_MIDNIGHT, budget=Budget(PRICE))
        assert ledger.get(row.id).state is State.RESERVED
        ledger.mark_submitting(row, {}, server_time=AFTER_MIDNIGHT, budget=Budget(PRICE * 2))


def test_row_sent_by_a_clock_of_the_day_before_has_to_fit_into_that_day(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        ledger.reserve(shot(0), Budget(PRICE), BEFORE_MIDNIGHT)
        row = ledger.reserve(shot(1), Budget(PRICE), AFTER_MIDNIGHT)
        with pytest.raises(BudgetExceededError, match=r"\$0.20 of today's \$0.20"):
            ledger.mark_submitting(row, {}, server_time=BEFORE_MIDNIGHT, budget=Budget(PRICE))
        row = ledger.mark_submitting(row, {}, server_time=BEFORE_MIDNIGHT, budget=Budget(PRICE * 2))
        assert row.counted_at == BEFORE_MIDNIGHT
