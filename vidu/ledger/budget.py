"""The most that a day and a run may cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from ..errors import BudgetExceededError


@dataclass(frozen=True)
class Budget:
    """Two limits in US dollars, checked in the transaction that reserves a clip's price.

    Args:
        daily_usd: The most that one day may cost, from midnight UTC on; 0 is no limit.
        run_usd: The most that one run may cost; None is no limit.
    """

    daily_usd: Decimal = Decimal(0)
    run_usd: Decimal | None = None

    def check_day(self, price_usd: Decimal, spent_usd: Decimal) -> None:
        """Raise `BudgetExceededError` unless the price fits beside what the day has cost."""
        if self.daily_usd and spent_usd + price_usd > self.daily_usd:
            raise BudgetExceededError(
                f"This clip costs {dollars(price_usd)} and {dollars(spent_usd)} of today's "
                f"{dollars(self.daily_usd)} is spent or reserved.",
                "Raise the daily budget in the library or the settings (in a shell: "
                "VIDU_DAILY_BUDGET_USD), or wait until midnight UTC.",
            )

    def check_run(self, price_usd: Decimal, spent_usd: Decimal) -> None:
        """Raise `BudgetExceededError` unless the price fits beside what this run has cost."""
        if self.run_usd is not None and spent_usd + price_usd > self.run_usd:
            raise BudgetExceededError(
                f"This clip costs {dollars(price_usd)} and {dollars(spent_usd)} of this run's "
                f"{dollars(self.run_usd)} is spent or reserved.",
                "Run again with a higher --budget to go on.",
            )


def dollars(usd: Decimal) -> str:
    """Return a sum in dollars with two decimals, or as many as it has."""
    return f"${usd:.2f}" if usd == round(usd, 2) else f"${usd.normalize():f}"


def start_of_day(moment: float) -> float:
    """Return the midnight UTC before `moment`, both in seconds since 1970.

    UTC, because machines in several time zones may share one budget.
    """
    return moment - moment % 86400


def start_of_month(moment: float) -> float:
    """Return the first midnight UTC of the month of `moment`, both in seconds since 1970."""
    day = datetime.fromtimestamp(moment, timezone.utc)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
