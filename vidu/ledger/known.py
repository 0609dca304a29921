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

from ..command_line import command_line
from ..errors import LedgerUnavailableError
from ..models import Entry
from ..request import Request
from .budget import start_of_day
from .journal import Journal
from .likenesses import find_alike
from .queries import COUNTED, find_active
from .rows import MICRO
from .schema import VERSION

LOCK_LIMIT_S = 2.0


class OtherLedger:
    """Another ledger, open for reading.

    Args:
        db: The connection.
        place: Its file, in words.
        locks: The folder of the locks of shots, which all ledgers share.
    """

    def __init__(self, db: sqlite3.Connection, place: str, locks: Path) -> None:
        self._db = db
        self.place = place
        self._locks = locks

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return [dict(row) for row in self._db.execute(query, values)]

    def find(self, request: Request) -> Entry | None:
        """Return the active row of a shot, or of the same shot read by another decoder."""
        return find_active(self, request.fingerprint) or find_alike(self, request)

    def is_at_work(self, fingerprint: str) -> bool:
        """Return whether a run holds the lock of a shot.

        Raises:
            OSError: That cannot be found out.
        """
        from filelock import FileLock, Timeout  # importing it takes time

        path = self._locks / fingerprint
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True

    def spent_today(self, now: float) -> dict[str, Decimal]:
        """Return what each request, or row without one, has cost since midnight UTC."""
        query = f"SELECT id, request_id, price_micro_usd FROM entries WHERE {COUNTED}"
        midnight = start_of_day(now)
        return {
            row["request_id"] or f"row {row['id']} of {self.place}": Decimal(row["price_micro_usd"])
            / MICRO
            for row in self.rows(query, midnight, midnight)
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
        """Return the ledgers beside this one that are there.

        Raises:
            LedgerUnavailableError: One is lost and its journal is not: it has paid for something.
            OSError: That cannot be found out.
        """
        own = self._note(path).name
        notes = sorted(note for note in self._folder.glob("*.txt") if note.name != own)
        paths = [Path(note.read_text(encoding="utf-8").strip()) for note in notes]
        return [each for each in paths if not _is_same(each, path) and self._is_there(each)]

    @contextmanager
    def opened(self, path: Path) -> Iterator[OtherLedger]:
        """Open another ledger for reading.

        Raises:
            LedgerUnavailableError: It cannot be read, so nobody knows what it has paid for.
        """
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            with (
                _hold_opening(path),
                closing(sqlite3.connect(uri, uri=True, timeout=LOCK_LIMIT_S)) as db,
            ):
                db.row_factory = sqlite3.Row
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version not in (0, VERSION):
                    raise sqlite3.OperationalError("another version of this pack made it")
                yield OtherLedger(db, str(path), self._folder.parent / "locks")
        except (sqlite3.Error, OSError) as error:
            raise LedgerUnavailableError(
                f"Another ledger of yours on this machine, {path}, cannot be read ({error}), so "
                "this shot may have been paid for there.",
                f"Fix it, or remove {self._note(path)} to go on without it.",
            ) from error

    def _is_there(self, path: Path) -> bool:
        if path.is_file():
            return True
        if not path.parent.is_dir():
            return False
        with _hold_opening(path):
            if path.is_file():
                return True
            if Journal(path.with_suffix(".journal")).last() is None:
                return False
        raise LedgerUnavailableError(
            f"Another ledger of yours on this machine, {path}, is gone, and its journal is not, so "
            "this shot may have been paid for there.",
            "Open that ledger once, in ComfyUI or with "
            f"`{command_line('ledger', '--home', path.parent)}`, which brings it back; "
            f"or remove {self._note(path)} to go on without it.",
        )

    def _note(self, path: Path) -> Path:
        name = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{name[:16]}.txt"


@contextmanager
def _hold_opening(path: Path) -> Iterator[None]:
    # A ledger that is being repaired is away for a moment, and then empty.
    from filelock import FileLock  # importing it takes time

    with FileLock(path.with_name(f"{path.name}.opening"), timeout=LOCK_LIMIT_S):
        yield


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
