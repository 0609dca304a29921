"""Rows of another machine's ledger into this one, so that what was paid there is free here."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import InvalidSettingError, LedgerUnavailableError
from ..models import State, entry_of
from .database import Database, unavailable_when_broken
from .schema import migrate

Row = dict[str, Any]

RANK = {
    state: rank
    for rank, state in enumerate(
        (
            State.RESERVED.value,
            State.SUBMITTING.value,
            State.SUBMITTED.value,
            State.CANCELLED.value,
            State.FINISHED.value,
            State.SAVED.value,
            State.FAILED.value,
        )
    )
}
"""How far on its way a row is; of the same request, the row that is further tells what is new."""

BILLED_BY_STATE = {State.RESERVED.value: 0, State.FINISHED.value: 1, State.SAVED.value: 1}
"""Whether a state means that fal charged; for the others it is not known, so they count."""

FINGERPRINT = re.compile("[0-9a-f]{64}")

TWICE = "paid for twice, on two machines: another row of this shot goes on"


class Outcome(str, Enum):
    """What became of a row of the other ledger."""

    ADDED = "added"
    UPDATED = "updated"
    TWICE = "paid for twice"
    KNOWN = "known"
    UNSENT = "never sent"
    REFUSED = "refused"


def merge(
    path: Path,
    other: Path,
    *,
    clips: Path | None = None,
    now: Callable[[], float] = time.time,
) -> Counter[Outcome]:
    """Merge another ledger into this one, whole or not at all; merging it again changes nothing.

    No row that may have been paid for is lost. Of two paid requests for one shot the one that is
    further stays live, and the other becomes a failed row that still counts as spent.

    Args:
        path: This ledger's file; it is made when it is missing.
        other: The other's file, of this or an older version; it is only read.
        clips: Where the other machine's clips are now; rows point there when a clip of their
            file's name and size is found.
        now: The clock, in seconds since 1970.

    Returns:
        How many rows came to what. A row is refused that cannot be read or is not whole, or
        whose addresses are not fal's: the key would go there.

    Raises:
        InvalidSettingError: The other file is missing or is this ledger, or `clips` is no folder.
        LedgerUnavailableError: One of the two cannot be used.
    """
    if not other.is_file():
        raise InvalidSettingError(f"There is no ledger {other}.", "Give the path of a ledger file.")
    if path.exists() and path.samefile(other):
        raise InvalidSettingError(f"{other} is this very ledger.", "Give the path of another one.")
    if clips and not clips.is_dir():
        raise InvalidSettingError(f"There is no folder {clips}.", "Give the folder of the clips.")
    try:
        rows = _rows(other)
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailableError(
            f"{other} cannot be read as a ledger ({error}).",
            "Run `python -m vidu ledger` where it comes from, which mends what is damaged.",
        ) from error
    with unavailable_when_broken(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Database(path)) as book, book.transaction() as db:
        return Counter(
            _merge_row(db, _found(dict(row), clips), now()) if _is_trusted(row) else Outcome.REFUSED
            for row in rows
        )


def _rows(other: Path) -> list[sqlite3.Row]:
    with TemporaryDirectory(prefix="vidu-merge-") as folder:
        copy = Path(folder, "copy")
        for suffix in ("-wal", ""):  # what is in the log only is a part of it, too
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(other.with_name(other.name + suffix), f"{copy}{suffix}")
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            migrate(db)
            return db.execute("SELECT * FROM shots ORDER BY id").fetchall()


def _is_trusted(row: sqlite3.Row) -> bool:
    from ..fal.request_handles import (
        has_fal_urls,  # brings httpx, which nobody waits for at start-up
    )

    try:
        entry = entry_of(row)
        whole = (
            FINGERPRINT.fullmatch(entry.fingerprint)  # it names a file of ours
            and isinstance(entry.prompt, str)
            and entry.price_usd >= 0
            and entry.reserved_at >= 0
            and (entry.output or entry.state not in (State.FINISHED, State.SAVED))
            and (entry.file or entry.state is not State.SAVED)
            and (entry.file is None or entry.file.path.suffix == ".mp4")  # it is served
        )
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return bool(whole) and (entry.handle is None or has_fal_urls(entry.handle))


def _found(row: Row, clips: Path | None) -> Row:
    """Return the row with its path under `clips`, when its clip is there."""
    if not clips or not row["path"]:
        return row
    clip = clips.absolute() / re.split(r"[\\/]", row["path"])[-1]
    if not clip.is_file() or clip.stat().st_size != row["size"]:
        return row
    return {**row, "path": str(clip)}


def _merge_row(db: sqlite3.Connection, row: Row, moment: float) -> Outcome:
    if row["state"] == State.RESERVED.value:
        return Outcome.UNSENT
    same = _one(
        db,
        "request_id = ? OR fingerprint = ? AND reserved_at = ?",
        row["request_id"],
        row["fingerprint"],
        row["reserved_at"],
    )
    if same and same["failure"] != TWICE:
        return _update(db, same, row)
    if same:  # weighed anew, for either request may have ended since
        db.execute("DELETE FROM shots WHERE id = ?", (same["id"],))
    rival = _one(db, "fingerprint = ? AND state != 'failed'", row["fingerprint"])
    if rival is None or row["state"] == State.FAILED.value:
        _insert(db, row)
        return Outcome.KNOWN if same else Outcome.ADDED
    if RANK[row["state"]] > RANK[rival["state"]]:
        _write(db, rival["id"], _twice(rival, moment))
        _insert(db, row)
    else:
        _insert(db, _twice(row, moment))
    return Outcome.KNOWN if same else Outcome.TWICE


def _update(db: sqlite3.Connection, ours: Row, theirs: Row) -> Outcome:
    # A clip saved here is here, though theirs may be gone from there.
    kept_here = ours["state"] == State.SAVED.value and Path(ours["path"]).is_file()
    if kept_here or RANK[theirs["state"]] <= RANK[ours["state"]]:
        return Outcome.KNOWN
    _write(db, ours["id"], theirs)
    return Outcome.UPDATED


def _twice(row: Row, moment: float) -> Row:
    return {
        **row,
        "state": State.FAILED.value,
        "failure": TWICE,
        "billed": BILLED_BY_STATE.get(row["state"]),
        "failed_at": moment,
    }


def _one(db: sqlite3.Connection, condition: str, *values: object) -> Row | None:
    row = db.execute(f"SELECT * FROM shots WHERE {condition}", values).fetchone()
    return dict(row) if row else None


def _insert(db: sqlite3.Connection, row: Row) -> None:
    columns = {name: value for name, value in row.items() if name != "id"}
    marks = ", ".join("?" for _ in columns)
    names = ", ".join(columns)
    db.execute(f"INSERT INTO shots ({names}) VALUES ({marks})", tuple(columns.values()))


def _write(db: sqlite3.Connection, row_id: int, row: Row) -> None:
    columns = {name: value for name, value in row.items() if name != "id"}
    names = ", ".join(f"{name} = ?" for name in columns)
    db.execute(f"UPDATE shots SET {names} WHERE id = ?", (*columns.values(), row_id))
