"""The reads of the ledger; every function here blocks."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..errors import LedgerUnavailableError
from ..models import Entry, State
from .database import Database, Readable, Row
from .rows import MICRO, UnreadableEntry, read_entry, read_row
from .text_search import find_by_text, marks

SHOWN = "deleted_at IS NULL"
ACTIVE = f"state <> 'failed' AND {SHOWN}"
COUNTED = (
    "(counted_at >= ? OR counted_at IS NULL) "
    "AND (state <> 'failed' OR billed IS NULL OR billed <> 0)"
)
MOST_COUNTED = 100_000
"""How far the rows found are counted: a server counts a million of them for as long as a tenth of
a second, and no page is scrolled as far."""

OWED = f"state IN ('submitting', 'submitted', 'cancelled', 'finished') AND {SHOWN}"
"""Conditions, word for word those of the indexes, or SQLite does not use them."""


@dataclass(frozen=True)
class Search:
    """What is looked for; what is left empty finds all.

    Args:
        text: See `find_by_text`.
        states: The states.
        endpoints: The endpoints.
        text_endpoints: Endpoints that `text` finds as well, by the names they are shown with.
        host: The machine that made it.
    """

    text: str = ""
    states: Sequence[State] = ()
    endpoints: Sequence[str] = ()
    text_endpoints: Sequence[str] = ()
    host: str = ""


@dataclass(frozen=True)
class Page:
    """A stretch of what was found, newest first.

    Attributes:
        entries: The stretch.
        total: How many rows were found, counted up to `MOST_COUNTED`.
        is_more: Whether there are more than were counted.
    """

    entries: list[Entry | UnreadableEntry]
    total: int
    is_more: bool = False


def select(db: Readable, condition: str, *values: object) -> list[Entry]:
    """Return the rows that meet a condition and are not deleted.

    Raises:
        LedgerUnavailableError: One of them cannot be read: what was paid for it is not known.
    """
    rows = db.rows(f"SELECT * FROM entries WHERE {SHOWN} AND {condition}", *values)
    return [entry_of(db, row) for row in rows]


def entry_of(db: Readable, row: Row) -> Entry:
    """Return the entry of a row.

    Raises:
        LedgerUnavailableError: It cannot be read.
    """
    try:
        return read_entry(row)
    except ValueError as error:
        raise LedgerUnavailableError(
            f"Row {row['id']} of the ledger at {db.place} cannot be read ({error}).",
            "If fal.ai/dashboard/requests does not show its clip, delete the row in the library; "
            "then run again.",
        ) from error


def find_active(db: Readable, fingerprint: str) -> Entry | None:
    """Return the one row of a shot that has not FAILED, if there is one."""
    rows = db.rows(f"SELECT * FROM entries WHERE fingerprint = ? AND {ACTIVE}", fingerprint)
    return entry_of(db, rows[0]) if rows else None


def find_row(db: Database, entry_id: int) -> Entry | UnreadableEntry | None:
    """Return the row with this id, also one that cannot be read."""
    rows = db.rows(f"SELECT * FROM entries WHERE id = ? AND {SHOWN}", entry_id)
    return read_row(rows[0]) if rows else None


def find_newest(db: Readable, fingerprint: str) -> Entry | None:
    """Return the row of a shot that was added last; None also when it cannot be read."""
    query = f"SELECT * FROM entries WHERE fingerprint = ? AND {SHOWN} ORDER BY id DESC LIMIT 1"
    found = [read_row(row) for row in db.rows(query, fingerprint)]
    return found[0] if found and isinstance(found[0], Entry) else None


def find_by_name(db: Database, name: str) -> list[Entry | UnreadableEntry]:
    """Return rows whose id or request id is `name`, or whose fingerprint begins with it."""
    conditions, values = ["request_id = ?"], [name]
    if name.isdecimal() and len(name) < 16:
        conditions.append("id = CAST(? AS BIGINT)")
        values.append(name)
    if len(name) >= 8:
        conditions.append(f"substr(fingerprint, 1, {len(name)}) = ?")
        values.append(name)
    query = f"SELECT * FROM entries WHERE {SHOWN} AND ({' OR '.join(conditions)}) ORDER BY id"
    return [read_row(row) for row in db.rows(query, *values)]


def has_request(db: Database, request_id: str) -> bool:
    """Return whether any row, a deleted one included, is of this request."""
    return bool(db.rows("SELECT 1 AS found FROM entries WHERE request_id = ?", request_id))


def has_other_of_request(db: Readable, entry: Entry, request_id: str) -> bool:
    """Return whether a row of another reservation, a deleted one included, is of this request."""
    return bool(
        db.rows(
            "SELECT 1 AS found FROM entries WHERE request_id = ? "
            "AND (fingerprint <> ? OR reserved_at <> ?)",
            request_id,
            entry.fingerprint,
            entry.reserved_at,
        )
    )


def spent_since(db: Database, moment: float) -> Decimal:
    """Return US dollars spent or reserved since `moment`, deleted rows included.

    A failed row counts unless it is known that fal did not bill it.
    """
    query = (
        "SELECT CAST(coalesce(sum(price_micro_usd), 0) AS BIGINT) AS micro FROM entries "
        f"WHERE {COUNTED}"
    )
    return Decimal(db.rows(query, moment)[0]["micro"]) / MICRO


def latest_day(db: Readable) -> float | None:
    """Return the latest time that a day's budget holds a row by, or None where there is none."""
    (row,) = db.rows("SELECT max(counted_at) AS latest FROM entries")
    return None if row["latest"] is None else float(row["latest"])


def search(db: Database, wanted: Search, offset: int, limit: int | None) -> Page:
    """Return a page of rows; see `Ledger.search`."""
    conditions, values = [SHOWN], list[object]()

    def require(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if wanted.states:
        states = [state.value for state in wanted.states]
        require(f"state IN ({marks(states)})", *states)
    if wanted.endpoints:
        require(f"endpoint IN ({marks(wanted.endpoints)})", *wanted.endpoints)
    if wanted.host:
        require("host = ?", wanted.host)
    if wanted.text:
        condition, given = find_by_text(wanted.text, wanted.text_endpoints)
        require(condition, *given)
    where = " AND ".join(conditions)
    some = f"SELECT 1 FROM entries WHERE {where} LIMIT {MOST_COUNTED + 1}"
    total = int(db.rows(f"SELECT count(*) AS total FROM ({some}) AS found", *values)[0]["total"])
    stretch = f"LIMIT {limit} OFFSET {offset}" if limit is not None else ""
    rows = db.rows(f"SELECT * FROM entries WHERE {where} ORDER BY id DESC {stretch}", *values)
    entries = [read_row(row) for row in rows]
    return Page(entries, min(total, MOST_COUNTED), total > MOST_COUNTED)


def find_endpoints(db: Database) -> list[str]:
    """Return the endpoints of what is shown, in alphabetical order."""
    return _distinct(db, "endpoint")


def find_hosts(db: Database) -> list[str]:
    """Return the machines that made what is shown, in alphabetical order."""
    return [host for host in _distinct(db, "host") if host]


def shared_daily_budget(db: Database) -> Decimal:
    """Return the daily limit in US dollars that all machines share; 0 is none."""
    rows = db.rows("SELECT value FROM facts WHERE name = 'daily_budget_usd'")
    return Decimal(rows[0]["value"]) if rows else Decimal(0)


def _distinct(db: Database, column: str) -> list[str]:
    # From one value to the next along its index: SELECT DISTINCT reads every row.
    least = f"SELECT min({column}) FROM entries WHERE {SHOWN}"
    rows = db.rows(
        f"WITH RECURSIVE found(value) AS ({least} UNION ALL "
        f"SELECT ({least} AND {column} > found.value) FROM found WHERE found.value IS NOT NULL) "
        "SELECT value FROM found WHERE value IS NOT NULL"
    )
    return [str(row["value"]) for row in rows]


def load_metadata(db: Database, entry_id: int) -> Mapping[str, str]:
    """Return the texts that a clip is to carry; none when they cannot be read."""
    rows = db.rows("SELECT packed FROM metadata WHERE entry_id = ?", entry_id)
    try:
        texts = json.loads(zlib.decompress(rows[0]["packed"])) if rows else {}
    except (ValueError, zlib.error):
        return {}
    return {str(name): str(text) for name, text in texts.items()} if isinstance(texts, dict) else {}


def incomplete_since(db: Database) -> str:
    """Return when rows were lost that may have been paid for, or "" if none were."""
    rows = db.rows("SELECT value FROM facts WHERE name = 'incomplete_since'")
    return str(rows[0]["value"]) if rows else ""
