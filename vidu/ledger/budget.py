"""A limit for one run over many shots, beside the daily one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from ..errors import BudgetExceededError
from ..models import Entry
from ..request import Request
from .ledger import Ledger


class BudgetedLedger(Ledger):
    """The ledger, through which no more than a sum is spent.

    A clip's price is taken from the sum before anything is asked for, so that shots that run side
    by side cannot exceed it together; it comes back when it is known that fal did not bill it.

    Args:
        path: The SQLite file.
        budget_usd: The most to spend through this object.
    """

    def __init__(self, path: Path, budget_usd: Decimal) -> None:
        super().__init__(path)
        self._budget_usd = budget_usd
        self._spent_usd: dict[int, Decimal] = {}

    def reserve(self, request: Request, daily_budget_usd: Decimal) -> Entry:
        """Write down that this shot is wanted; see `Ledger.intend`.

        Raises:
            BudgetExceededError: The clip does not fit into what is left of either budget.
            LedgerUnavailableError: It cannot be written down.
        """
        live = self.active(request.fingerprint)
        if live:
            return live
        spent_usd = sum(self._spent_usd.values(), Decimal(0))
        if spent_usd + request.price > self._budget_usd:
            raise BudgetExceededError(
                f"This clip costs ${request.price:.2f} and ${spent_usd:.2f} of this run's "
                f"${self._budget_usd:.2f} is spent or reserved.",
                "Run again with a higher --budget to go on.",
            )
        entry = super().reserve(request, daily_budget_usd)
        self._spent_usd[entry.id] = entry.price_usd
        return entry

    def mark_failed(self, entry: Entry, failure: str, *, billed: bool | None) -> Entry:
        """Any state to FAILED; see `Ledger.failed`."""
        failed = super().mark_failed(entry, failure, billed=billed)
        if billed is False:
            self._spent_usd.pop(entry.id, None)
        return failed
