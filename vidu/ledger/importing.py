"""The import of another ledger's file: what it paid for is free here, too."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import InvalidSettingError, LedgerUnavailableError
from ..models import Entry, State
from .database import Database
from .rows import read_entry
from .salvage import PAID_TWICE
from .schema import VERSION
from .writes import TIMEOUT_BEFORE_PAYING_S, journaled

Row = dict[str, Any]

RANK = {state.value: rank for rank, state in enumerate(State)}
"""How far on its way a row is: of two paid requests for one shot the further one goes on."""


class Outcome(str, Enum):
    """What became of a row of the file."""

    ADDED = "added"
    UPDATED = "updated"
    KNOWN = "known"
    TWICE = "paid for twice"
    UNSENT = "never sent"
    REFUSED = "refused"


def import_rows(db: Database, path: Path) -> Counter[Outcome]:
    """Add the rows of a ledger's file; doing so again changes nothing.

    Args:
        db: The ledger they come into.
        path: The file; it is only read.

    Returns:
        How many rows came to what. A row is refused that cannot be read, or whose addresses are
        not fal's: the key would go there.

    Raises:
        InvalidSettingError: There is no such file.
        LedgerUnavailableError: One of the two cannot be used.
    """
    if not path.is_file():
        raise InvalidSettingError(f"There is no ledger {path}.", "Give the path of a ledger file.")
    try:
        rows, kept = _read(path)
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailableError(
            f"{path} cannot be read as a ledger ({error}).",
            "Run `vidu ledger` on it where it comes from, which repairs what is damaged.",
        ) from error
    with db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
        changed: list[int] = []
        outcomes = Counter(_import_row(db, row, kept, changed) for row in rows)
        db.record(*(journaled(db, entry_id) for entry_id in changed))
    return outcomes


def _read(path: Path) -> tuple[list[Row], dict[str, dict[int, bytes]]]:
    with TemporaryDirectory(prefix="vidu-import-") as folder:
        copy = Path(folder, "ledger.sqlite")
        for suffix in ("-wal", ""):  # what only the write-ahead log holds is a part of it, too
            with suppress(FileNotFoundError):
                shutil.copy(path.with_name(path.name + suffix), f"{copy}{suffix}")
        with closing(sqlite3.connect(copy)) as source:
            source.row_factory = sqlite3.Row
            source.text_factory = lambda text: text.decode(errors="replace")
            (version,) = source.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise sqlite3.OperationalError("another version of this pack made it")
            rows = [dict(row) for row in source.execute("SELECT * FROM entries ORDER BY id")]
            kept = {
                table: dict(source.execute(f"SELECT * FROM {table}").fetchall())
                for table in ("metadata", "likenesses")
            }
    return rows, kept


def _import_row(
    db: Database, row: Row, kept: dict[str, dict[int, bytes]], changed: list[int]
) -> Outcome:
    """Add a row, or bring it up to date; the ids of rows that change come into `changed`."""
    entry = _trusted(row)
    if entry is None:
        return Outcome.REFUSED
    if entry.state is State.RESERVED:
        return Outcome.UNSENT
    columns = {name: value for name, value in row.items() if name != "id"}
    same = db.rows(
        "SELECT id, revision FROM entries WHERE request_id = ? "
        "OR fingerprint = ? AND reserved_at = ?",
        entry.request_id or None,
        entry.fingerprint,
        entry.reserved_at,
    )
    if same:
        if same[0]["revision"] >= row["revision"]:
            return Outcome.KNOWN
        _set(db, same[0]["id"], columns)
        changed.append(same[0]["id"])
        return Outcome.UPDATED
    outcome = Outcome.ADDED
    if entry.state is not State.FAILED and row["deleted_at"] is None:
        outcome = _make_room(db, columns, changed)
    entry_id = _insert(db, columns)
    for table, values in kept.items():
        if row["id"] in values:
            db.execute(f"INSERT INTO {table} VALUES (?, ?)", entry_id, values[row["id"]])
    changed.append(entry_id)
    return outcome


def _make_room(db: Database, columns: Row, changed: list[int]) -> Outcome:
    """Let one of two active rows of a shot go on, the one that is further; both are counted."""
    rivals = db.rows(
        "SELECT id, state, revision FROM entries WHERE fingerprint = ? AND state <> 'failed' "
        "AND deleted_at IS NULL",
        columns["fingerprint"],
    )
    if not rivals:
        return Outcome.ADDED
    ended = {"state": State.FAILED.value, "failure": PAID_TWICE, "billed": None}
    rival = rivals[0]
    if RANK[columns["state"]] > RANK[rival["state"]]:
        unsent = {"billed": 0} if rival["state"] == State.RESERVED.value else {}
        _set(db, rival["id"], {**ended, **unsent, "revision": rival["revision"] + 1})
        changed.append(rival["id"])
    else:
        columns |= ended
    return Outcome.TWICE


def _trusted(row: Row) -> Entry | None:
    from ..fal.request_handles import has_fal_urls  # brings httpx

    try:
        entry = read_entry(row)
    except ValueError:
        return None
    return entry if entry.handle is None or has_fal_urls(entry.handle) else None


def _set(db: Database, entry_id: int, columns: Row) -> None:
    names = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE entries SET {names} WHERE id = ?", *columns.values(), entry_id)


def _insert(db: Database, columns: Row) -> int:
    names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
    statement = f"INSERT INTO entries ({names}) VALUES ({marks}) RETURNING id"
    return int(db.rows(statement, *columns.values())[0]["id"])
