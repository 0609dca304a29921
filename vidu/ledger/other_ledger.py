"""Another ledger of this user on this machine, which is read before anything is paid."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..models import Entry
from ..request import Request
from .database import RowKey
from .likenesses import find_alike
from .queries import COUNTED, find_active
from .rows import MICRO


class LedgerFile:
    """Another ledger, open for reading.

    Args:
        db: The connection.
        place: Its file, in words.
        locks: The folder of the locks of shots, which all ledgers share.
    """

    def __init__(self, db: sqlite3.Connection, place: str, locks: Path) -> None:
        self._db = db
        self.place = place
        self._locks = locks

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return [dict(row) for row in self._db.execute(query, values)]

    def find(self, request: Request) -> Entry | None:
        """Return the active row of a shot, or of the same shot read by another decoder."""
        return find_active(self, request.fingerprint) or find_alike(self, request)

    def is_at_work(self, fingerprint: str) -> bool:
        """Return whether a run holds the lock of a shot.

        Raises:
            OSError: That cannot be found out.
        """
        from filelock import FileLock, Timeout  # importing it takes time

        path = self._locks / fingerprint
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True

    def spent_since(self, moment: float) -> dict[RowKey, Decimal]:
        """Return what each row has cost since `moment`, in seconds since 1970."""
        query = f"SELECT fingerprint, reserved_at, price_micro_usd FROM entries WHERE {COUNTED}"
        return {
            (row["fingerprint"], row["reserved_at"]): Decimal(row["price_micro_usd"]) / MICRO
            for row in self.rows(query, moment)
        }
