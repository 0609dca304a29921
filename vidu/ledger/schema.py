"""The ledger's file: its table and how it grew, and what is rescued from a damaged one."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

log = logging.getLogger(__name__)

LOCK_LIMIT_S = 10.0
"""How long another process may hold the file before this one gives up."""

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
        reserved_at REAL NOT NULL,
        arguments TEXT,
        submitting_at REAL,
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
        saved_at REAL,
        failure TEXT,
        billed INTEGER,
        failed_at REAL
    );
    CREATE UNIQUE INDEX one_live_row ON shots (fingerprint) WHERE state != 'failed';
    CREATE INDEX get_by_request_id ON shots (request_id);
    CREATE INDEX by_day ON shots (reserved_at);
    """,
    """
    CREATE INDEX unfinished ON shots (state) WHERE state NOT IN ('saved', 'failed');
    """,
    """
    ALTER TABLE shots ADD COLUMN max_lifetime_s REAL;
    ALTER TABLE shots ADD COLUMN account TEXT;
    """,
    """
    CREATE TABLE carried (shot INTEGER PRIMARY KEY, metadata BLOB NOT NULL);
    """,
    """
    ALTER TABLE shots ADD COLUMN submitting_server_time REAL;
    ALTER TABLE shots ADD COLUMN content_sha256 TEXT;
    """,
)
"""Each script takes the file from one version to the next; a landed one is never changed."""


def open_database(path: Path | str) -> sqlite3.Connection:
    """Open the file, bring it to the newest version, and replace a damaged one by what it held.

    Args:
        path: The file, or ":memory:".

    Raises:
        sqlite3.Error: It cannot be opened: locked, read-only, or made by a newer version.
        OSError: The folder cannot be written.
    """
    if not isinstance(path, Path):
        return _connect(path)
    with _exclusive(path):
        try:
            return _connect(path)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        return _rebuild(path)


def repair(path: Path) -> sqlite3.Connection:
    """Open a file in which damage was met, replaced unless another process has done so already.

    Raises:
        sqlite3.Error: It cannot be opened.
        OSError: The folder cannot be written.
    """
    with _exclusive(path):
        return _connect(path) if _is_whole(path) else _rebuild(path)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the file is damaged: CORRUPT and NOTADB alone are a bare DatabaseError."""
    return type(error) is sqlite3.DatabaseError


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    # SQLite does not wait where two connections turn a new file to WAL at once, it refuses one;
    # and of two that find it damaged, the second would set aside what the first has rescued.
    from filelock import FileLock  # not before it is needed: importing it takes time

    with FileLock(path.with_name(f"{path.name}.opening"), timeout=LOCK_LIMIT_S):
        yield


def _connect(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=LOCK_LIMIT_S, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")  # macOS would leave it in the drive's cache
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


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


def _is_whole(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return [tuple(row) for row in db.execute("PRAGMA quick_check")] == [("ok",)]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return False


def _rebuild(path: Path) -> sqlite3.Connection:
    aside = _set_aside(path)
    db = _connect(path)
    rescued = salvage(aside, db)
    log.warning("The ledger was damaged: saved as %s, %d rows rescued.", aside.name, rescued)
    return db


def _set_aside(path: Path) -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def salvage(damaged: Path, db: sqlite3.Connection) -> int:
    """Copy what can be read of a damaged ledger into a new one; the damaged one stays as it is.

    A request forgotten is a clip paid twice, so each row is tried on its own, and where the first
    page is lost, with all that says where things are, an empty ledger's takes its place.

    Returns:
        How many rows were copied.
    """
    with TemporaryDirectory(prefix="rescue-", dir=damaged.parent) as folder:
        copy = Path(folder, "copy")
        for suffix in ("-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(damaged.with_name(damaged.name + suffix), f"{copy}{suffix}")
        rescued = _copy_rows(copy, db)
        if not rescued:
            _graft_first_page(copy)
            rescued = _copy_rows(copy, db)
    return rescued


def _graft_first_page(copy: Path) -> None:
    blank = copy.with_name("blank")
    with contextlib.closing(sqlite3.connect(blank, isolation_level=None)) as db:
        migrate(db)
        (size,) = db.execute("PRAGMA page_size").fetchone()
    page = bytearray(blank.read_bytes()[:size])
    page[28:32] = bytes(4)  # how many pages the file has; 0 leaves it to the file's length
    with copy.open("rb+") as file:
        file.write(page)


def _copy_rows(copy: Path, db: sqlite3.Connection) -> int:
    rescued = 0
    with contextlib.closing(sqlite3.connect(copy)) as source:
        source.row_factory = sqlite3.Row
        db.execute("BEGIN IMMEDIATE")
        for row_id in range(1, _last_id(source) + 1):
            with contextlib.suppress(sqlite3.DatabaseError):
                rescued += _copy_row(source, db, row_id)
        db.commit()
    return rescued


def _last_id(source: sqlite3.Connection) -> int:
    last = 0
    for query in ("SELECT max(id) FROM shots", "SELECT max(seq) FROM sqlite_sequence"):
        with contextlib.suppress(sqlite3.DatabaseError):
            last = max(last, source.execute(query).fetchone()[0] or 0)
    return last


def _copy_row(source: sqlite3.Connection, db: sqlite3.Connection, row_id: int) -> int:
    row = source.execute("SELECT * FROM shots WHERE id = ?", (row_id,)).fetchone()
    if row is None:
        return 0
    marks = ", ".join("?" for _ in row.keys())  # noqa: SIM118 (a Row iterates over values)
    db.execute(f"INSERT INTO shots ({', '.join(row.keys())}) VALUES ({marks})", tuple(row))
    return 1


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
