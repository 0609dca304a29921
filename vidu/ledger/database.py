"""The ledger's file, open: shared by threads, mended when damaged, followed when replaced."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ..errors import LedgerUnavailableError
from .schema import is_damage, open_database, repair


class Database:
    """One connection, used by one thread at a time.

    Args:
        path: The SQLite file, or ":memory:".

    Raises:
        LedgerUnavailableError: It cannot be opened: locked, read-only, or made by a newer version.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._mutex = threading.RLock()
        with unavailable_when_broken(str(path)):
            self._connect()

    @property
    def path(self) -> Path | None:
        """The file; None for a database in memory."""
        return self._path if isinstance(self._path, Path) else None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Return what a query finds.

        Raises:
            LedgerUnavailableError: The file cannot be read.
        """
        with self._guarded():
            return self._db.execute(query, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file for writing; what was written is on disk when this ends.

        Raises:
            LedgerUnavailableError: The file cannot be written, and nothing was.
        """
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._mutex, unavailable_when_broken(str(self._path)):
            self._follow()
            try:
                yield
            except sqlite3.Error as error:
                if is_damage(error) and isinstance(self._path, Path):
                    self._repair(self._path)
                raise

    def _connect(self) -> None:
        self._db = open_database(self._path)
        self._file = self._file_there()

    def _follow(self) -> None:
        # Another process that met damage has set the file aside: what is written to that is lost.
        if self._file != self._file_there() and not self._db.in_transaction:
            self._db.close()
            self._connect()

    def _file_there(self) -> tuple[int, int] | None:
        if not isinstance(self._path, Path):
            return None
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _repair(self, path: Path) -> NoReturn:
        self._db.close()
        self._db = repair(path)
        self._file = self._file_there()
        raise LedgerUnavailableError(
            f"The ledger of paid clips at {path} was damaged: it is set aside, and what could be "
            "read of it is in a new one.",
            f'Compare `python -m vidu ledger --home "{path.parent}"` with '
            "fal.ai/dashboard/requests, then run again.",
        )


@contextlib.contextmanager
def unavailable_when_broken(place: str) -> Iterator[None]:
    """Say in our own words that the file at `place` cannot be used."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailableError(
            f"The ledger of paid clips at {place} cannot be used ({error}).",
            "Check that its disk is not full and the folder can be written, then run again.",
        ) from error
