"""The most that a day and a run may cost.

A day begins at midnight UTC by fal's clock, which each of its responses tells. The clock of this
machine decides nothing, for it may be set. Where fal does not tell its time, no new day begins: the
day goes on that the ledgers know of. Machines that share a PostgreSQL ledger go by its clock.

A row counts on one day: that of its reservation, and then that of its sending. A row whose time is
not known counts on every day, until fal tells its time to the next run that reserves or sends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal

from ..errors import BudgetExceededError


@dataclass(frozen=True)
class Budget:
    """Two limits in US dollars, checked in the transaction that reserves a clip's price.

    Args:
        daily_usd: The most that one day may cost; 0 means no limit.
        run_usd: The most that one run may cost; None means no limit.
    """

    daily_usd: Decimal = Decimal(0)
    run_usd: Decimal | None = None

    def lowered_to(self, daily_usd: Decimal) -> Budget:
        """Return the budget with the lower of two daily limits; 0 is no limit."""
        if not daily_usd or 0 < self.daily_usd <= daily_usd:
            return self
        return replace(self, daily_usd=daily_usd)

    def check_day(self, price_usd: Decimal, spent_usd: Decimal, now: float | None) -> None:
        """Raise `BudgetExceededError` unless the price fits beside what the day has cost.

        Args:
            price_usd: The price.
            spent_usd: What the day has cost.
            now: The time that days begin by; None when it is not known.
        """
        if self.daily_usd and spent_usd + price_usd > self.daily_usd:
            raise BudgetExceededError(
                f"This clip costs {dollars(price_usd)} and {dollars(spent_usd)} of today's "
                f"{dollars(self.daily_usd)} is spent or reserved.",
                "Raise the daily budget in the library or the settings (in a shell: "
                f"VIDU_DAILY_BUDGET_USD), or wait until midnight UTC. {_time_words(now)}",
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


def _time_words(now: float | None) -> str:
    if now is None:
        return "fal does not tell its time, and no new day begins before it does."
    moment = datetime.fromtimestamp(now, timezone.utc)
    return f"It is {moment:%Y-%m-%d %H:%M} UTC now, whatever this machine's clock says."


def start_of_day(moment: float) -> float:
    """Return the midnight UTC before `moment`, both in seconds since 1970.

    UTC, because machines in several time zones may share one budget.
    """
    return moment - moment % 86400


def start_of_month(moment: float) -> float:
    """Return the first midnight UTC of the month of `moment`, both in seconds since 1970."""
    day = datetime.fromtimestamp(moment, timezone.utc)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()
