"""The salvage of a damaged ledger from its own pages and its journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..models import State
from .journal import LIKENESSES, History, latest
from .likenesses import from_text, unpack
from .rows import read_entry
from .sqlite_pages import Record, read_records

NEVER_SENT = (State.RESERVED.value, State.FAILED.value)
PAID_TWICE = "paid for twice: another row of this shot goes on"


def salvage(damaged: Path, history: History, db: sqlite3.Connection) -> tuple[int, bool]:
    """Copy what can be read of a damaged ledger into a new one; the damaged one stays as it is.

    Args:
        damaged: The damaged file; its write-ahead log is read, too.
        history: What the journal says.
        db: The new database, inside a transaction.

    Returns:
        How many rows were copied, and whether a row that was paid for may be missing.
    """
    columns = [name for _, name, *_ in db.execute("PRAGMA table_info(entries)")]
    rows: dict[int, dict[str, Any]] = {}
    texts: dict[int, bytes] = {}
    pictures: dict[int, bytes] = {}
    for record in read_records(damaged):
        row = _entry_row(record, columns)
        if row and row["revision"] >= rows.get(record.row_id, row)["revision"]:
            rows[record.row_id] = row
        elif len(record.values) == 2 and isinstance(record.values[1], bytes):
            kept = pictures if unpack(record.values[1]) else texts
            kept[record.row_id] = record.values[1]
    # A stale copy of a row that has failed since would else make its shot's paid row give way.
    known = {_key(record): record for record in latest(history.records)}
    for row_id in sorted(rows):
        insert(db, _bring_up(rows[row_id], known.get(_key(rows[row_id]))))
    replay(history, db)
    for table, values in (("metadata", texts), ("likenesses", pictures)):
        db.executemany(
            f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(row_id, packed) for row_id, packed in values.items() if row_id in rows],
        )
    found = {row_id for (row_id,) in db.execute("SELECT id FROM entries")}
    return len(found), _may_miss_rows(damaged, found, history)


def replay(history: History, db: sqlite3.Connection) -> int:
    """Bring rows up to what the journal says of them; return how many were behind or missing.

    Args:
        history: What the journal says.
        db: The database, inside a transaction.
    """
    behind = 0
    for record in latest(history.records):
        row = _columns(record)
        found = _find(db, row)
        if found is None:
            behind += insert(db, row)
        elif found["revision"] < row["revision"]:
            behind += 1
            changed = {name: value for name, value in row.items() if name != "id"}
            if _is_request_taken(db, row, found["id"]):  # so the database had refused the change
                changed = {"revision": row["revision"]}
            names = ", ".join(f"{name} = ?" for name in changed)
            db.execute(f"UPDATE entries SET {names} WHERE id = ?", (*changed.values(), found["id"]))
        found = _find(db, row)
        if found and LIKENESSES in record:
            db.execute(
                "INSERT INTO likenesses VALUES (?, ?) ON CONFLICT DO NOTHING",
                (found["id"], from_text(record[LIKENESSES])),
            )
    return behind


def insert(db: sqlite3.Connection, row: Mapping[str, Any]) -> bool:
    """Add a row that was lost, under its own id when that is free; return whether it could be."""
    columns = dict(row)
    if "endpoint" not in columns:  # the journal has its end only: it began before the journal
        return False
    if db.execute("SELECT 1 FROM entries WHERE id = ?", (columns.get("id"),)).fetchone():
        del columns["id"]
    try:
        _execute_insert(db, columns)
    except sqlite3.IntegrityError:
        _yield_to_other(db, columns)
        _execute_insert(db, columns)
    return True


def _execute_insert(db: sqlite3.Connection, columns: Mapping[str, Any]) -> None:
    names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
    db.execute(f"INSERT INTO entries ({names}) VALUES ({marks})", tuple(columns.values()))


def _yield_to_other(db: sqlite3.Connection, row: dict[str, Any]) -> None:
    """Make room for a row whose shot or request has another row already."""
    other = db.execute(
        "SELECT id, state, request_id FROM entries WHERE request_id = ? OR fingerprint = ? "
        "AND state <> 'failed' AND deleted_at IS NULL",
        (row.get("request_id"), row["fingerprint"]),
    ).fetchone()
    if other["state"] in NEVER_SENT and not other["request_id"]:
        db.execute(
            "UPDATE entries SET state = 'failed', billed = 0, failure = ? WHERE id = ?",
            ("another row of this shot goes on", other["id"]),
        )
        return
    row.update(state=State.FAILED.value, failure=PAID_TWICE, billed=None)
    if other["request_id"] == row.get("request_id"):
        row["request_id"] = None


def _key(row: Mapping[str, Any]) -> tuple[str, float]:
    return row["fingerprint"], row["reserved_at"]


def _columns(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != LIKENESSES}


def _find(db: sqlite3.Connection, row: Mapping[str, Any]) -> Any:
    return db.execute(
        "SELECT id, revision FROM entries WHERE fingerprint = ? AND reserved_at = ?", _key(row)
    ).fetchone()


def _is_request_taken(db: sqlite3.Connection, row: Mapping[str, Any], row_id: int) -> bool:
    return bool(
        db.execute(
            "SELECT 1 FROM entries WHERE request_id = ? AND id <> ?",
            (row.get("request_id"), row_id),
        ).fetchone()
    )


def _bring_up(row: Mapping[str, Any], record: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if record is None or record["revision"] <= row["revision"]:
        return row
    return {**row, **_columns(record), "id": row["id"]}


def _entry_row(record: Record, columns: list[str]) -> dict[str, Any] | None:
    if len(record.values) != len(columns):
        return None
    row = {**dict(zip(columns, record.values, strict=True)), "id": record.row_id}
    try:
        read_entry(row)
    except ValueError:
        return None
    return row if isinstance(row["revision"], int) else None


def _may_miss_rows(damaged: Path, found: Iterable[int], history: History) -> bool:
    last = max(
        [*found, *_last_ids(damaged), *(int(row["id"]) for row in history.records)], default=0
    )
    missing = set(range(1, last + 1)) - set(found)
    if missing:
        return not all(history.covers(row_id) for row_id in missing)
    # All up to the last that is known are here; whether that was the last one, the file itself
    # says in `sqlite_sequence`, or the journal does.
    return not (_last_ids(damaged) or history.covers(last + 1))


def _last_ids(damaged: Path) -> list[int]:
    """Return the highest id that was ever given, when the file still says so."""
    return [
        record.values[1]
        for record in read_records(damaged)
        if record.values[:1] == ("entries",)
        and len(record.values) == 2
        and isinstance(record.values[1], int)
    ]
