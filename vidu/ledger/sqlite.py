"""The ledger in one SQLite file: opened, shared, repaired when damaged, followed when replaced."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from ..command_line import command_line
from ..errors import LedgerUnavailableError
from .database import OtherLedger, Row
from .journal import Journal
from .known import KnownLedgers
from .lock import check_locks, hold_lock, identity_of
from .salvage import replay, salvage
from .schema import VERSION, create_statements

log = logging.getLogger(__name__)

LOCK_LIMIT_S = 10.0
"""How long another process may hold the file before this one gives up."""


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
        self.now = now
        self._path = path
        self._shared_dir = shared_dir or (path.parent if path else Path())
        self._known = KnownLedgers(self._shared_dir)
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
                self._known.add(path)

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
                    self._known.add(self._path, has_paid=True)
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
            return [self._known.opened(path) for path in self._known.others(self._path)]

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
        has_paid = self._path is not None and self._known.has_paid(self._path)
        self._db = open_file(self._path, has_paid=has_paid)
        self._file = self._identity()
        return self._db

    def _identity(self) -> tuple[int, int] | None:
        return identity_of(self._path) if self._path else None

    def _repair(self, path: Path) -> NoReturn:
        db, self._db = self._db, None
        if db:
            db.close()
        with _exclusive(path):
            if not _is_whole(path):
                _rebuild(path).close()
        raise LedgerUnavailableError(
            f"The ledger of paid clips at {path} was damaged: it is set aside, and what could be "
            "read of it is in a new one.",
            "Run again.",
        )


def open_file(path: Path | None, *, has_paid: bool = False) -> sqlite3.Connection:
    """Open the file, made if missing, rebuilt if damaged, brought up to its journal if behind.

    Args:
        path: The file; None is a database in memory.
        has_paid: Whether it is known to have paid for something: if it is missing, so are rows.

    Raises:
        sqlite3.Error: It cannot be opened: locked, read-only, or made by a newer version.
        OSError: The folder cannot be written.
    """
    if path is None:
        return _connect(":memory:")
    with _exclusive(path):
        try:
            return _connect_and_catch_up(path, has_paid)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        return _rebuild(path)


def journal_of(path: Path) -> Journal:
    """Return the journal of a ledger's file."""
    return Journal(path.with_suffix(".journal"))


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file is to blame: such an error comes as a bare DatabaseError."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def unavailable_when_broken(place: str) -> Iterator[None]:
    """Raise what SQLite and the disk say as an error of this pack's."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailableError(
            f"The ledger of paid clips at {place} cannot be used ({error}).",
            "Check that its disk is not full and the folder can be written, then run again.",
        ) from error


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    # SQLite does not wait where two connections turn a new file to WAL at once, it refuses one;
    # and of two that find it damaged, the second would set aside what the first has rescued.
    from filelock import FileLock  # not before it is needed: importing it takes time

    check_locks(path.parent)
    with FileLock(path.with_name(f"{path.name}.opening"), timeout=LOCK_LIMIT_S):
        yield


def _connect_and_catch_up(path: Path, has_paid: bool) -> sqlite3.Connection:
    db = _connect(path)
    try:
        _catch_up(path, db, has_paid)
    except BaseException:
        db.close()
        raise
    return db


def _connect(path: Path | str) -> sqlite3.Connection:
    if isinstance(path, Path):  # the ledger holds prompts: nobody else's business
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=LOCK_LIMIT_S, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        db.text_factory = _decode
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")  # macOS would leave it in the drive's cache
        _create_tables(db)
    except BaseException:
        db.close()
        raise
    return db


def _decode(text: bytes) -> str:
    # One damaged byte is one character that is shown as damaged, and no error for a whole page.
    return text.decode(errors="replace")


def _create_tables(db: sqlite3.Connection) -> None:
    if _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have done it while this one waited for the lock.
        version = _version(db)
        if version > VERSION:
            raise sqlite3.OperationalError("it was made by a newer version of this pack")
        if version == 0:
            for statement in create_statements("INTEGER PRIMARY KEY AUTOINCREMENT"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        db.rollback()
        raise
    db.commit()


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _is_whole(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return [tuple(row) for row in db.execute("PRAGMA quick_check")] == [("ok",)]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False


def _rebuild(path: Path) -> sqlite3.Connection:
    """Set a damaged file aside and put what is known of its rows into a new one."""
    aside = _set_aside(path)
    db = _connect(path)
    db.execute("BEGIN IMMEDIATE")
    count, may_miss_rows = salvage(aside, journal_of(path).read(), db)
    if may_miss_rows:
        mark_incomplete(db)
    db.commit()
    log.warning("The ledger was damaged: kept as %s, %d rows rescued.", aside.name, count)
    return db


def _set_aside(path: Path) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _catch_up(path: Path, db: sqlite3.Connection, has_paid: bool) -> None:
    """Bring a file up to its journal: one restored from a backup, emptied or deleted is behind."""
    journal = journal_of(path)
    newest = journal.last()
    if newest is None:
        (last_id,) = db.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()
        if has_paid and not last_id and not _is_loss_accepted(db):
            # Its drive is not mounted, or was not when it paid, or somebody has deleted its folder.
            db.execute("BEGIN IMMEDIATE")
            mark_incomplete(db)
            db.commit()
        journal.begin(int(last_id))
        return
    known = db.execute(
        "SELECT revision FROM entries WHERE fingerprint = ? AND reserved_at = ?",
        (newest["fingerprint"], newest["reserved_at"]),
    ).fetchone()
    if known and known["revision"] >= newest["revision"]:
        return
    history = journal.read()
    db.execute("BEGIN IMMEDIATE")
    behind = replay(history, db)
    if not known and not history.covers(1):
        mark_incomplete(db)
    db.commit()
    log.warning("The ledger was behind its journal: %d rows brought back.", behind)


def _is_loss_accepted(db: sqlite3.Connection) -> bool:
    return bool(db.execute("SELECT 1 FROM facts WHERE name = 'loss_accepted'").fetchall())


def mark_incomplete(db: sqlite3.Connection) -> None:
    """Write down that rows may be missing, inside a transaction."""
    db.execute(
        "INSERT INTO facts VALUES ('incomplete_since', ?) ON CONFLICT DO NOTHING",
        (datetime.now().isoformat(timespec="seconds"),),
    )
