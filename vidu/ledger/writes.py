"""The changes of rows; every public function here blocks, and most are one transaction."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from decimal import Decimal
from typing import Any

from ..errors import RowChangedError
from ..files import remove_file
from ..models import Entry, State
from .budget import Budget
from .daily_budget import check_other_day, date_rows
from .database import Database, Row, until_answered
from .journal import LIKENESSES
from .likenesses import to_text
from .queries import SHOWN, entry_of, shared_daily_budget
from .rows import entry_columns

TIMEOUT_AFTER_PAYING_S = 30.0
"""How long a change waits for the database once money may have moved."""

TIMEOUT_BEFORE_PAYING_S = 5.0
"""How long it waits before money moves."""


def mark_submitting(
    db: Database,
    entry: Entry,
    columns: Mapping[str, Any],
    budget: Budget,
    server_time: float | None,
) -> Entry:
    """Move a row from RESERVED to SUBMITTING; `record` is still to be called.

    It counts from then on the day of its sending, when it fits into the budget of that day.
    """
    attempts = itertools.count()

    def move() -> Entry:
        is_repeated = next(attempts) > 0
        changes = {**columns, "state": State.SUBMITTING.value}
        with (
            db.reserving() if budget.daily_usd else nullcontext(),
            db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S),
        ):
            day_time = db.day_time(server_time)
            if day_time is not None:
                changes["counted_at"] = day_time
                limits = budget.lowered_to(shared_daily_budget(db))
                check_other_day(db, limits, entry, day_time)
                date_rows(db, day_time)
            return _apply(db, entry, (State.RESERVED,), changes, is_repeated=is_repeated)

    return until_answered(TIMEOUT_BEFORE_PAYING_S, move)


def record(db: Database, entry: Entry) -> None:
    """Write all of a row into the journal."""
    db.record(journaled(db, entry.id))


def journaled(db: Database, entry_id: int) -> Row:
    """Return all of a row as the journal has it, with its small pictures."""
    (row,) = db.rows("SELECT * FROM entries WHERE id = ?", entry_id)
    pictures = db.rows("SELECT packed FROM likenesses WHERE entry_id = ?", entry_id)
    known = {name: value for name, value in row.items() if value is not None}
    return known | ({LIKENESSES: to_text(pictures[0]["packed"])} if pictures else {})


def update(
    db: Database,
    entry: Entry,
    state: State,
    expected: Sequence[State],
    columns: Mapping[str, Any],
    time_column: str | None = None,
) -> Entry:
    """Move a row on from SUBMITTING, or to its end.

    Args:
        db: The database.
        entry: The row as it was last seen.
        state: The state it comes to.
        expected: The states it may be in now.
        columns: What else changes.
        time_column: The column that takes the present time.

    Raises:
        LedgerUnavailableError: It cannot be written, or another process was faster.
    """
    changes: dict[str, Any] = {**columns, "state": state.value}
    if time_column:
        changes[time_column] = db.now()

    def move() -> Entry:
        with db.transaction(timeout_s=TIMEOUT_AFTER_PAYING_S):
            return _apply(db, entry, expected, changes, is_repeated=True)

    with db.holding(_change_of(entry, changes)):
        return until_answered(TIMEOUT_AFTER_PAYING_S, move)


def delete(db: Database, entry_id: int) -> None:
    """Leave a tombstone in a row's place: shown no more, its amount stays in the sums."""
    with db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
        now = db.now()
        rows = db.rows(f"SELECT * FROM entries WHERE id = ? AND {SHOWN}", entry_id)
        if not rows:
            return
        row = rows[0]
        changes = {"deleted_at": now, "revision": row["revision"] + 1}
        if row["state"] == State.RESERVED.value:  # nothing was sent for it
            changes |= {"state": State.FAILED.value, "billed": 0, "failed_at": now}
        _set(db, entry_id, changes)
        db.execute("DELETE FROM metadata WHERE entry_id = ?", entry_id)
    db.record({**changes, **_identity_of(row)})


def save_metadata(db: Database, entry_id: int, metadata: Mapping[str, str]) -> None:
    """Write down the texts that a clip is to carry."""
    packed = zlib.compress(json.dumps(dict(metadata)).encode())
    with db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
        db.execute(
            "INSERT INTO metadata VALUES (?, ?) "
            "ON CONFLICT (entry_id) DO UPDATE SET packed = excluded.packed",
            entry_id,
            packed,
        )


def accept_loss(db: Database) -> None:
    """Take the ledger for complete again, as the user has decided."""
    with db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
        db.execute("DELETE FROM facts WHERE name = 'incomplete_since'")
        db.execute(
            "INSERT INTO facts VALUES ('loss_accepted', 'yes') ON CONFLICT (name) DO NOTHING"
        )


def store_daily_budget(db: Database, usd: Decimal) -> None:
    """Set the daily limit that all machines share; 0 lifts it."""
    with db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
        db.execute(
            "INSERT INTO facts VALUES ('daily_budget_usd', ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            str(usd),
        )


def bring_in(db: Database) -> None:
    """Write down what waits on this machine's disk since the database was away."""
    for file, change in db.waiting():
        with db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
            found = db.rows(
                "SELECT id, revision FROM entries WHERE fingerprint = ? AND reserved_at = ?",
                change["fingerprint"],
                change["reserved_at"],
            )
            if found and found[0]["revision"] < change["revision"] and not _is_taken(db, change):
                _set(db, found[0]["id"], {name: change[name] for name in change if name != "id"})
        with suppress(OSError):  # brought in once more, it changes nothing
            remove_file(file)


def _is_taken(db: Database, change: Row) -> bool:
    """Return whether the request of a change is another row's, so that no database takes it."""
    return bool(
        db.rows(
            "SELECT 1 AS found FROM entries WHERE request_id = ? "
            "AND (fingerprint <> ? OR reserved_at <> ?)",
            change.get("request_id"),
            change["fingerprint"],
            change["reserved_at"],
        )
    )


def _apply(
    db: Database,
    entry: Entry,
    expected: Sequence[State],
    changes: Mapping[str, Any],
    *,
    is_repeated: bool,
) -> Entry:
    """Move a row on, inside a transaction."""
    names = ", ".join(f"{name} = ?" for name in changes)
    marks = ", ".join("?" for _ in expected)
    rows = db.rows(
        f"UPDATE entries SET {names}, revision = revision + 1 WHERE id = ? "
        f"AND fingerprint = ? AND state IN ({marks}) AND {SHOWN} RETURNING *",
        *changes.values(),
        entry.id,
        entry.fingerprint,
        *(each.value for each in expected),
    )
    return entry_of(db, rows[0]) if rows else _restore(db, entry, changes, is_repeated=is_repeated)


def _restore(db: Database, entry: Entry, changes: Mapping[str, Any], *, is_repeated: bool) -> Entry:
    """Put a row back that is missing or behind: the file was replaced by an older one."""
    rows = db.rows(
        "SELECT * FROM entries WHERE fingerprint = ? AND reserved_at = ?",
        entry.fingerprint,
        entry.reserved_at,
    )
    newest = {**entry_columns(entry), **changes, "revision": entry.revision + 1}
    if not rows:
        return insert(db, newest | _free_id(db, entry.id))
    if rows[0]["revision"] < entry.revision:
        _set(db, rows[0]["id"], newest)
    elif not _is_done(rows[0], changes, is_repeated=is_repeated):
        db.record(rows[0])  # the refused change is in the journal, and this one is newer
        raise RowChangedError(
            f"Another process changed row {entry.id} of the ledger at the same moment.",
            "Run the same shot again.",
        )
    return entry_of(db, db.rows("SELECT * FROM entries WHERE id = ?", rows[0]["id"])[0])


def _is_done(row: Row, changes: Mapping[str, Any], *, is_repeated: bool) -> bool:
    """Return whether a change was made already, by a try whose answer was lost.

    Of two who want to make the paid POST, one may: there it counts only if this very call has
    tried before, and the row has the time of that try.
    """
    if changes["state"] == State.SUBMITTING.value:
        told_apart = ("state", "submitting_at", "arguments")
        return is_repeated and all(row[name] == changes[name] for name in told_apart)
    return all(row[name] == changes[name] for name in changes if not name.endswith("_at"))


def _free_id(db: Database, entry_id: int) -> dict[str, int]:
    taken = db.rows("SELECT 1 AS taken FROM entries WHERE id = ?", entry_id)
    return {} if taken else {"id": entry_id}


def insert(db: Database, columns: Mapping[str, Any]) -> Entry:
    """Add a row, inside a transaction.

    Args:
        db: The database.
        columns: The values by the names of their columns in `entries`.
    """
    names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
    statement = f"INSERT INTO entries ({names}) VALUES ({marks}) RETURNING *"
    return entry_of(db, db.rows(statement, *columns.values())[0])


def _set(db: Database, entry_id: int, columns: Mapping[str, Any]) -> None:
    names = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE entries SET {names} WHERE id = ?", *columns.values(), entry_id)


def _change_of(entry: Entry, changes: Mapping[str, Any]) -> Row:
    identity = {
        "id": entry.id,
        "fingerprint": entry.fingerprint,
        "reserved_at": entry.reserved_at,
    }
    return {**identity, **changes, "revision": entry.revision + 1}


def _identity_of(row: Row) -> Row:
    return {name: row[name] for name in ("id", "fingerprint", "reserved_at")}
