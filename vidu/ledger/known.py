"""The other ledgers of this user on this machine, which are asked before anything is paid.

ComfyUI keeps its ledger in its own folder and a shell in the user's, so that one shot could be paid
for twice. Each ledger in a file is written down in one place when it is opened.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..errors import LedgerUnavailableError
from ..models import Entry
from ..request import Request
from .budget import start_of_day
from .likenesses import find_alike
from .queries import find_active
from .rows import MICRO
from .schema import VERSION

LOCK_LIMIT_S = 2.0
COUNTED = "reserved_at >= ? AND (state <> 'failed' OR billed IS NULL OR billed <> 0)"


class OtherLedger:
    """Another ledger, open for reading.

    Args:
        db: The connection.
        place: Its file, in words.
    """

    def __init__(self, db: sqlite3.Connection, place: str) -> None:
        self._db = db
        self.place = place

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return [dict(row) for row in self._db.execute(query, values)]

    def find(self, request: Request) -> Entry | None:
        """Return the active row of a shot, or of the same shot read by another decoder."""
        return find_active(self, request.fingerprint) or find_alike(self, request)

    def spent_today(self, now: float) -> dict[str, Decimal]:
        """Return what each request, or row without one, has cost since midnight UTC."""
        query = f"SELECT id, request_id, price_micro_usd FROM entries WHERE {COUNTED}"
        return {
            row["request_id"] or f"row {row['id']} of {self.place}": Decimal(row["price_micro_usd"])
            / MICRO
            for row in self.rows(query, start_of_day(now))
        }


class KnownLedgers:
    """The list of ledgers, one small file each.

    Args:
        folder: Where the list is; made with the first ledger.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, path: Path) -> None:
        """Write a ledger down.

        Raises:
            OSError: It cannot be written.
        """
        note = self._note(path)
        if not note.exists():
            note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            note.write_text(f"{path.absolute()}\n", encoding="utf-8")

    def others(self, path: Path) -> list[Path]:
        """Return the ledgers beside this one that are there."""
        own = self._note(path).name
        notes = sorted(note for note in self._folder.glob("*.txt") if note.name != own)
        paths = [Path(note.read_text(encoding="utf-8").strip()) for note in notes]
        return [other for other in paths if other.is_file() and not _is_same(other, path)]

    @contextmanager
    def opened(self, path: Path) -> Iterator[OtherLedger]:
        """Open another ledger for reading.

        Raises:
            LedgerUnavailableError: It cannot be read, so nobody knows what it has paid for.
        """
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=LOCK_LIMIT_S)) as db:
                db.row_factory = sqlite3.Row
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version not in (0, VERSION):
                    raise sqlite3.OperationalError("another version of this pack made it")
                yield OtherLedger(db, str(path))
        except (sqlite3.Error, OSError) as error:
            raise LedgerUnavailableError(
                f"Another ledger of yours on this machine, {path}, cannot be read ({error}), so "
                "this shot may have been paid for there.",
                f"Mend it, or remove {self._note(path)} to go on without it.",
            ) from error

    def _note(self, path: Path) -> Path:
        name = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{name[:16]}.txt"


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
