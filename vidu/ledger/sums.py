"""What was spent: how much is known, and how much fal may not charge after all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

from ..catalog import is_price_upper_bound
from ..models import State
from .database import Database, Row
from .queries import COUNTED
from .rows import MICRO

UNKNOWN = frozenset({State.RESERVED, State.SUBMITTING, State.CANCELLED})
"""Whether fal charges for a row in one of these states is not known yet."""


@dataclass(frozen=True)
class Spending:
    """US dollars of a stretch of time.

    Args:
        usd: What fal has charged, or charges when it is done.
        open_usd: What fal may charge besides: nothing of it, a part, or all.
    """

    usd: Decimal = Decimal(0)
    open_usd: Decimal = Decimal(0)

    @property
    def most_usd(self) -> Decimal:
        """The most that it can be; the daily budget counts this."""
        return self.usd + self.open_usd


def is_charge_known(state: State, billed: bool | None) -> bool:
    """Return whether it is known that fal charges for a row, or that it does not."""
    return billed is not None if state is State.FAILED else state not in UNKNOWN


def read_spending(db: Database, moment: float) -> Spending:
    """Return what the rows cost that count on `moment` or later; deleted rows count.

    `moment` is in seconds since 1970. The sum of both parts is that of `queries.spent_since`.
    """
    query = (
        "SELECT state, billed, endpoint, options, "
        "CAST(sum(price_micro_usd) AS BIGINT) AS micro FROM entries "
        f"WHERE {COUNTED} GROUP BY state, billed, endpoint, options"
    )
    known = unknown = 0
    for row in db.rows(query, moment):
        if _is_known(row):
            known += row["micro"]
        else:
            unknown += row["micro"]
    return Spending(Decimal(known) / MICRO, Decimal(unknown) / MICRO)


def _is_known(row: Row) -> bool:
    try:
        billed = None if row["billed"] is None else bool(row["billed"])
        if not is_charge_known(State(row["state"]), billed):
            return False
        return not is_price_upper_bound(row["endpoint"], json.loads(row["options"]))
    except (TypeError, ValueError, AttributeError):  # a damaged row
        return False
