"""The ledger in one SQLite file: transactions, locks, and a file that was replaced."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from ..command_line import command_line
from ..errors import LedgerUnavailableError
from .database import OtherLedger, Row
from .file_lock import hold_lock, identity_of
from .registry import LedgerRegistry
from .sqlite_file import (
    LOCK_LIMIT_S,
    is_damage,
    journal_of,
    open_file,
    repair_file,
    unavailable_when_broken,
)

log = logging.getLogger(__name__)


class SqliteDatabase:
    """One connection to a file and its journal; see `Database`.

    Args:
        path: The file; None is a database in memory.
        now: The clock, in seconds since 1970.
        shared_dir: The folder of what all ledgers of this user on this machine share: the list of
            them and the locks of shots; None is the folder of the file.

    Raises:
        LedgerUnavailableError: It cannot be opened: locked, read-only, or made by a newer version.
    """

    def __init__(
        self, path: Path | None, now: Callable[[], float], shared_dir: Path | None = None
    ) -> None:
        self.place = str(path or "memory")
        self.host = socket.gethostname()
        self.is_shared = False
        self.now = now
        self._path = path
        self._shared_dir = shared_dir or (path.parent if path else Path())
        self._registry = LedgerRegistry(self._shared_dir)
        self._memory_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._held: dict[str, Callable[[], bool]] = {}
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._is_closed = False
        self._is_noted = False
        with unavailable_when_broken(self.place):
            if path:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connected()
            if path:
                self._registry.add(path)

    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        if self._db:
            self._db.close()

    def day_time(self, server_time: float | None) -> float | None:
        """Return fal's time: this machine's clock may be set; see `Database`."""
        return server_time

    def rows(self, query: str, *values: object) -> list[Row]:
        """Return the rows of a query; see `Database`."""
        with self._guarded() as db:
            return [dict(row) for row in db.execute(query, values)]

    def execute(self, statement: str, *values: object) -> int:
        """Run a statement inside a transaction; see `Database`."""
        with self._guarded() as db:
            return db.execute(statement, values).rowcount

    @contextlib.contextmanager
    def transaction(self, *, timeout_s: float = LOCK_LIMIT_S) -> Iterator[None]:
        """Hold the file for writing; see `Database`."""
        with self._guarded() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield
                db.commit()
            except BaseException:
                with contextlib.suppress(sqlite3.ProgrammingError):  # closed to be repaired
                    db.rollback()
                raise

    def record(self, *changes: Row) -> None:
        """Append changes to the journal; see `Database`."""
        if self._path:
            with unavailable_when_broken(self.place):
                if not self._is_noted:
                    self._registry.add(self._path, has_paid=True)
                    self._is_noted = True
                journal_of(self._path).append(*changes)

    @contextlib.contextmanager
    def holding(self, change: Row) -> Iterator[None]:
        """Append a change to the journal before the file takes it; see `Database`."""
        try:
            self.record(change)
        except LedgerUnavailableError as problem:
            log.warning("The journal cannot be written: %s", problem.message)
        yield

    def waiting(self) -> Sequence[tuple[Path, Row]]:
        """Return nothing: what the journal holds is brought in when the file is opened."""
        return []

    def others(self) -> Sequence[AbstractContextManager[OtherLedger]]:
        """Return the other ledgers of this user on this machine; see `Database`."""
        if self._path is None:
            return []
        with unavailable_when_broken(self.place):
            return [self._registry.opened(path) for path in self._registry.others(self._path)]

    @contextlib.contextmanager
    def reserving(self) -> Iterator[None]:
        """Hold the lock of all reservations of this user on this machine; see `Database`."""
        if self._path is None:
            yield
            return
        from filelock import FileLock  # importing it takes time

        lock = FileLock(self._shared_dir / "reserving.lock", timeout=LOCK_LIMIT_S)
        with unavailable_when_broken(self.place):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def command(self, *arguments: object) -> str:
        """Return a shell command of this pack's that works on this file."""
        return command_line(*arguments, *(("--home", self._path.parent) if self._path else ()))

    @contextlib.asynccontextmanager
    async def lock_shot(
        self, fingerprint: str, on_waiting: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Hold the lock of a shot; see `Database`."""
        if self._path is None:
            async with self._memory_locks[fingerprint]:
                yield
            return
        async with contextlib.AsyncExitStack() as held:
            with unavailable_when_broken(self.place):
                lock = self._shared_dir / "locks" / fingerprint
                is_held = await held.enter_async_context(hold_lock(lock, lambda: on_waiting("")))
            self._held[fingerprint] = is_held
            held.callback(self._held.pop, fingerprint)
            yield

    def check_lock(self, fingerprint: str) -> None:
        """Raise unless the lock file of a shot is the one that was locked; see `Database`."""
        is_held = self._held.get(fingerprint)
        if is_held is None:
            return
        with unavailable_when_broken(self.place):
            if is_held():
                return
        raise LedgerUnavailableError(
            f"The lock file of this shot below {self._shared_dir / 'locks'} was removed or "
            "replaced, so that another run may be at work on the shot.",
            "Run the same shot again.",
        )

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        with unavailable_when_broken(self.place):
            db = self._connected()
            try:
                yield db
            except sqlite3.Error as error:
                if is_damage(error) and self._path:
                    self._repair(self._path)
                raise

    def _connected(self) -> sqlite3.Connection:
        """Return the connection to the file that is there now."""
        if self._is_closed:
            raise sqlite3.ProgrammingError("it is closed")
        if self._db and (self._db.in_transaction or self._file == self._identity()):
            return self._db
        # Another process has replaced the file: what is written to the old one is lost. Should
        # opening the new one fail, it is tried again the next time.
        db, self._db = self._db, None
        if db:
            db.close()
        self._db = open_file(self._path, self._has_paid)
        self._file = self._identity()
        return self._db

    def _has_paid(self) -> bool:
        return self._path is not None and self._registry.has_paid(self._path)

    def _identity(self) -> tuple[int, int] | None:
        return identity_of(self._path) if self._path else None

    def _repair(self, path: Path) -> NoReturn:
        db, self._db = self._db, None
        if db:
            db.close()
        repair_file(path)
        raise LedgerUnavailableError(
            f"The ledger of paid clips at {path} was damaged: it is set aside, and what could be "
            "read of it is in a new one.",
            "Run again.",
        )
