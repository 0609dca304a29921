"""What a day has cost in all ledgers of one user, held against its budget."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from ..models import Entry
from .budget import Budget, start_of_day
from .database import Database, OtherLedger, RowKey
from .queries import latest_day, spent_since

T = TypeVar("T")


def check_day(
    db: Database,
    budget: Budget,
    price_usd: Decimal,
    day_time: float | None,
    *,
    counted_usd: Decimal = Decimal(0),
) -> None:
    """Make sure that a price fits beside what the day has cost, inside a transaction.

    Args:
        db: The ledger.
        budget: The limit.
        price_usd: The price.
        day_time: The time that days begin by; None when it is not known.
        counted_usd: How much of the price is in the sum of the day already.

    Raises:
        BudgetExceededError: It does not fit.
        LedgerUnavailableError: What the day has cost in another ledger is not known.
    """
    if budget.daily_usd:
        budget.check_day(price_usd, _spent_on_day(db, day_time) - counted_usd, day_time)


def check_other_day(db: Database, budget: Budget, entry: Entry, day_time: float) -> None:
    """Make sure that a row fits into the day of its sending, should it count on another one.

    That day may also be the one before: fal's servers need not agree on the second of midnight.

    Args:
        db: The ledger.
        budget: The limit.
        entry: The row.
        day_time: The time of its sending.

    Raises:
        BudgetExceededError: It does not fit.
        LedgerUnavailableError: What the day has cost in another ledger is not known.
    """
    rows = db.rows("SELECT counted_at FROM entries WHERE id = ?", entry.id)
    counted_at = rows[0]["counted_at"] if rows else entry.counted_at
    if counted_at is None or start_of_day(counted_at) == start_of_day(day_time):
        return
    is_counted = bool(rows) and counted_at > day_time  # the sum of a day has the later days, too
    counted_usd = entry.price_usd if is_counted else Decimal(0)
    check_day(db, budget, entry.price_usd, day_time, counted_usd=counted_usd)


def date_rows(db: Database, day_time: float | None) -> None:
    """Let the rows whose time was not known count on this day alone."""
    if day_time is not None:
        db.execute("UPDATE entries SET counted_at = ? WHERE counted_at IS NULL", day_time)


def _spent_on_day(db: Database, day_time: float | None) -> Decimal:
    """Return what a day has cost in all ledgers of this user; by default the last one known."""
    known = [day_time] if day_time is not None else [latest_day(db), *_read_others(db, latest_day)]
    since = start_of_day(max((each for each in known if each is not None), default=0.0))
    elsewhere: dict[RowKey, Decimal] = {}
    for spent in _read_others(db, lambda other: other.spent_since(since)):
        elsewhere |= spent
    return spent_since(db, since) + sum(
        (usd for key, usd in elsewhere.items() if not _has_row(db, key)), Decimal(0)
    )


def _read_others(db: Database, read: Callable[[OtherLedger], T]) -> list[T]:
    results = []
    for opening in db.others():
        with opening as other:
            results.append(read(other))
    return results


def _has_row(db: Database, key: RowKey) -> bool:
    query = "SELECT 1 AS found FROM entries WHERE fingerprint = ? AND reserved_at = ?"
    return bool(db.rows(query, *key))
