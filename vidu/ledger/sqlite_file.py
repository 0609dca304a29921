"""The file of a SQLite ledger: opened, rebuilt when damaged, brought up to its journal."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from ..errors import LedgerUnavailableError
from .file_lock import check_locks
from .journal import Journal
from .salvage import replay, salvage
from .schema import VERSION, create_statements

log = logging.getLogger(__name__)

LOCK_LIMIT_S = 10.0
"""How long another process may hold the file before this one gives up."""


def open_file(
    path: Path | None, has_paid: Callable[[], bool] = lambda: False
) -> sqlite3.Connection:
    """Open the file, made if missing, rebuilt if damaged, brought up to its journal if behind.

    Args:
        path: The file; None is a database in memory.
        has_paid: Tells whether it is known to have paid for something: if it is missing, so are
            rows. It is called while no other process opens, repairs or removes the file.

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


def repair_file(path: Path) -> None:
    """Set the file aside if it is damaged, and make a new one of what can be read of it."""
    with _exclusive(path):
        if not _is_whole(path):
            _rebuild(path).close()


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


def _connect_and_catch_up(path: Path, has_paid: Callable[[], bool]) -> sqlite3.Connection:
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


def _catch_up(path: Path, db: sqlite3.Connection, has_paid: Callable[[], bool]) -> None:
    """Bring a file up to its journal: one restored from a backup, emptied or deleted is behind."""
    journal = journal_of(path)
    newest = journal.last()
    if newest is None:
        (last_id,) = db.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()
        if not last_id and has_paid() and not _is_loss_accepted(db):
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
