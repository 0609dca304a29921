"""The ledger's file: its table and how it grew, and what is rescued from a damaged one."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from datetime import datetime
from pathlib import Path

log = logging.getLogger(__name__)

MIGRATIONS = (
    """
    CREATE TABLE shots (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        fingerprint TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        state TEXT NOT NULL,
        prompt TEXT NOT NULL,
        seed INTEGER NOT NULL,
        options TEXT NOT NULL,
        price_micro_usd INTEGER NOT NULL,
        intended_at REAL NOT NULL,
        arguments TEXT,
        posted_at REAL,
        request_id TEXT,
        status_url TEXT,
        response_url TEXT,
        cancel_url TEXT,
        submitted_at REAL,
        cancelled_at REAL,
        video_url TEXT,
        video_size INTEGER,
        billable_units REAL,
        finished_at REAL,
        path TEXT,
        size INTEGER,
        sha256 TEXT,
        width INTEGER,
        height INTEGER,
        fps REAL,
        frame_count INTEGER,
        duration_s REAL,
        kept_at REAL,
        failure TEXT,
        billed INTEGER,
        failed_at REAL
    );
    CREATE UNIQUE INDEX one_live_row ON shots (fingerprint) WHERE state != 'failed';
    CREATE INDEX by_request ON shots (request_id);
    CREATE INDEX by_day ON shots (intended_at);
    """,
    """
    CREATE INDEX unfinished ON shots (state) WHERE state NOT IN ('kept', 'failed');
    """,
)
"""Each script takes the file from one version to the next; a landed one is never changed."""


def open_database(path: Path | str) -> sqlite3.Connection:
    """Open the file, bring it to the newest version, and replace a damaged one by what it held.

    Args:
        path: The file, or ":memory:".

    Raises:
        sqlite3.Error: It can not be opened: locked, read-only, or made by a newer version.
    """
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) or not isinstance(path, Path):
            raise
    aside = _set_aside(path)
    db = _connect(path)
    rescued = salvage(aside, db)
    log.warning("The ledger was damaged: kept as %s, %d rows rescued.", aside.name, rescued)
    return db


def _connect(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _set_aside(path: Path) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to the newest version; `PRAGMA user_version` counts the scripts that ran.

    Raises:
        sqlite3.OperationalError: The file was made by a newer version of this pack.
        sqlite3.DatabaseError: The file is no database, or damaged.
    """
    if _version(db) == len(MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        # Read again: another process may have done it while this one waited for the lock.
        version = _version(db)
        if version > len(MIGRATIONS):
            raise sqlite3.OperationalError("it was made by a newer version of this pack")
        for script in MIGRATIONS[version:]:
            for statement in script.split(";"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        db.rollback()
        raise
    db.commit()


def salvage(damaged: Path, db: sqlite3.Connection) -> int:
    """Copy what can be read of a damaged ledger into a new one.

    A request forgotten is a clip paid twice, so each row is tried on its own.

    Returns:
        How many rows were copied.
    """
    rescued = 0
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(sqlite3.connect(damaged)) as source,
    ):
        source.row_factory = sqlite3.Row
        (last,) = source.execute("SELECT max(id) FROM shots").fetchone()
        for row_id in range(1, (last or 0) + 1):
            with contextlib.suppress(sqlite3.DatabaseError):
                rescued += _copy_row(source, db, row_id)
    return rescued


def _copy_row(source: sqlite3.Connection, db: sqlite3.Connection, row_id: int) -> int:
    row = source.execute("SELECT * FROM shots WHERE id = ?", (row_id,)).fetchone()
    if row is None:
        return 0
    marks = ", ".join("?" for _ in row.keys())  # noqa: SIM118 (a Row iterates over values)
    db.execute(f"INSERT INTO shots ({', '.join(row.keys())}) VALUES ({marks})", tuple(row))
    return 1


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
