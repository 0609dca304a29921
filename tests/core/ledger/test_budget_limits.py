"""The limits of a budget as values: two of them, a price beside what is spent, and the words."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest

from vidu.errors import BudgetExceededError
from vidu.ledger import Budget
from vidu.ledger.budget import dollars, start_of_day, start_of_month

RUN = Decimal("7.00")


def moment(*numbers: int) -> float:
    return datetime(*numbers, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("own", "other", "lower"),
    [("0", "0", "0"), ("0", "2", "2"), ("2", "0", "2"), ("1", "2", "1"), ("2", "1", "1")],
)
def test_budget_lowered_to_another_limit_has_the_lower_one(own, other, lower):
    lowered = Budget(Decimal(own), RUN).lowered_to(Decimal(other))
    assert lowered == Budget(Decimal(lower), RUN)


@pytest.mark.parametrize(
    ("spent", "fits"), [("0.79", True), ("0.80", True), ("0.81", False), ("0.800001", False)]
)
def test_check_price_fits_up_to_the_limit_itself(spent, fits):
    price, limit = Decimal("0.20"), Decimal("1.00")
    for check in (
        lambda: Budget(limit).check_day(price, Decimal(spent), None),
        lambda: Budget(run_usd=limit).check_run(price, Decimal(spent)),
    ):
        if fits:
            check()
            continue
        with pytest.raises(BudgetExceededError) as refused:
            check()
        assert refused.value.message.startswith("This clip costs $0.20 and $0.8")
        assert "budget" in refused.value.next_step


def test_check_without_a_limit_takes_any_price():
    Budget().check_day(Decimal(6), Decimal(10**6), None)
    Budget().check_run(Decimal(6), Decimal(10**6))


def test_check_run_with_a_limit_of_0_takes_none():
    with pytest.raises(BudgetExceededError, match=r"of this run's \$0\.00"):
        Budget(run_usd=Decimal(0)).check_run(Decimal("0.10"), Decimal(0))


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        *(("0", "$0.00"), ("0.2", "$0.20"), ("5", "$5.00"), ("100", "$100.00")),
        *(("0.385", "$0.385"), ("0.7125000", "$0.7125"), ("0.999999", "$0.999999")),
    ],
)
def test_dollars_has_two_decimals_or_as_many_as_the_sum(usd, shown):
    assert dollars(Decimal(usd)) == shown


def test_start_of_day_and_month_is_the_midnight_utc_before():
    noon = moment(2026, 3, 15, 12, 30, 1)
    assert start_of_day(noon) == moment(2026, 3, 15)
    assert start_of_month(noon + 0.5) == moment(2026, 3, 1)
    for start in (start_of_day, start_of_month):
        assert start(moment(2026, 3, 1)) == moment(2026, 3, 1)
    assert start_of_day(moment(2026, 3, 1) - 1) == moment(2026, 2, 28)
    assert start_of_month(moment(2026, 3, 1) - 1) == moment(2026, 2, 1)
