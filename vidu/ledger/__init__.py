"""The ledger: every paid request, on disk before the money moves."""

from __future__ import annotations

from .budget import Budget
from .ledger import Ledger, open_ledger

__all__ = ["Budget", "Ledger", "open_ledger"]
