"""The ledger: every paid request, on disk before the money moves."""

from __future__ import annotations

from .budget import Budget
from .importing import Outcome
from .ledger import Ledger
from .opening import ignore_ledger, open_ledger
from .queries import Page, Search
from .rows import UnreadableEntry
from .sums import Spending, is_charge_known

__all__ = [
    "Budget",
    "Ledger",
    "Outcome",
    "Page",
    "Search",
    "Spending",
    "UnreadableEntry",
    "ignore_ledger",
    "is_charge_known",
    "open_ledger",
]
