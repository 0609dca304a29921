"""The interface of the ledger's database, which SQLite and PostgreSQL implement."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..errors import DatabaseUnreachableError
from ..models import Entry
from ..request import Request

T = TypeVar("T")
TRY_AGAIN_AFTER_S = 0.3
Row = Mapping[str, Any]
RowKey = tuple[str, float]
"""Fingerprint and time of reservation: the same for a row in each ledger that has a copy of it."""


class Readable(Protocol):
    """What can be read.

    Attributes:
        place: Where it is, in words a user may read: no password.
    """

    place: str

    def rows(self, query: str, *values: object) -> Sequence[Row]:
        """Return the rows of a query."""


class OtherLedger(Readable, Protocol):
    """Another ledger of this user on this machine, open for reading."""

    def find(self, request: Request) -> Entry | None:
        """Return the active row of a shot, or of the same shot read by another decoder."""

    def is_at_work(self, fingerprint: str) -> bool:
        """Return whether a run holds the lock of a shot.

        Raises:
            OSError: That cannot be found out.
        """

    def spent_since(self, moment: float) -> dict[RowKey, Decimal]:
        """Return what each row has cost since `moment`, in seconds since 1970."""


class Database(Protocol):
    """One open database.

    All methods but `lock_shot` block and are called in one thread. Values stand for `?`.

    Attributes:
        place: Where it is, in words a user may read: no password.
        host: This machine's name.
        is_shared: Whether other machines use it as well.
    """

    place: str
    host: str
    is_shared: bool

    def rows(self, query: str, *values: object) -> list[Row]:
        """Return the rows of a query, alone or inside a transaction.

        Raises:
            LedgerUnavailableError: It cannot be read.
        """

    def execute(self, statement: str, *values: object) -> int:
        """Run a statement inside a transaction and return how many rows it changed."""

    def transaction(self, *, timeout_s: float) -> AbstractContextManager[None]:
        """Hold off every other writer; what was written is on disk when this ends.

        Args:
            timeout_s: How long to wait for the database before anything is written.

        Raises:
            LedgerUnavailableError: It cannot be written, and nothing was.
        """

    def holding(self, change: Row) -> AbstractContextManager[None]:
        """Keep a change that must not be lost on this machine's disk, beside the database.

        Args:
            change: Columns of a row, with `fingerprint`, `reserved_at` and `revision`.
        """

    def record(self, *changes: Row) -> None:
        """Repeat changes in the journal, if the database has one.

        Raises:
            LedgerUnavailableError: It cannot be written.
        """

    def waiting(self) -> Sequence[tuple[Path, Row]]:
        """Return the held changes that the database has not taken yet, each with its file."""

    def others(self) -> Sequence[AbstractContextManager[OtherLedger]]:
        """Return the other ledgers of this user on this machine, each to be opened."""

    def reserving(self) -> AbstractContextManager[None]:
        """Hold off every reservation in the other ledgers of this user on this machine.

        Raises:
            LedgerUnavailableError: Another one reserves for too long.
        """

    def command(self, *arguments: object) -> str:
        """Return a shell command of this pack's that works on this database."""

    def now(self) -> float:
        """Return the time by the database's clock, in seconds since 1970."""

    def day_time(self, server_time: float | None) -> float | None:
        """Return the time that days begin by, in seconds since 1970; None when it is not known.

        Args:
            server_time: fal's own time now; None when it is not known.
        """

    def close(self) -> None:
        """Close it; nothing can be asked of it afterwards."""

    def lock_shot(
        self, fingerprint: str, on_waiting: Callable[[str], None]
    ) -> AbstractAsyncContextManager[None]:
        """Hold the lock of a shot over all processes that use this database.

        Args:
            fingerprint: The shot.
            on_waiting: Called about once a second while another holds it, with its machine.

        Raises:
            LedgerUnavailableError: The lock cannot be taken.
        """

    def check_lock(self, fingerprint: str) -> None:
        """Raise `LedgerUnavailableError` when the lock of a shot was taken and has been lost."""


def until_answered(timeout_s: float, change: Callable[[], T]) -> T:
    """Make a change, and make it again when a server's answer to it was lost.

    Args:
        timeout_s: How long the server may be out of reach.
        change: One transaction, which finds out whether it was made before.

    Raises:
        LedgerUnavailableError: It cannot be made, or nobody knows whether it was.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            return change()
        except DatabaseUnreachableError:
            if time.monotonic() > give_up_at:
                raise
        time.sleep(TRY_AGAIN_AFTER_S)
