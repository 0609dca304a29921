"""The ledger in a PostgreSQL database that several machines share."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command_line import command_line, pip_command
from ..errors import (
    DatabaseUnreachableError,
    InvalidSettingError,
    LedgerUnavailableError,
    RowChangedError,
)
from ..files import remove_file
from .database import TRY_AGAIN_AFTER_S, OtherLedger, Row, until_answered
from .postgres_errors import to_ledger_error
from .postgres_lock import PostgresLocks
from .schema import VERSION, create_statements
from .spool import Spool

if TYPE_CHECKING:
    import psycopg

    from .postgres_connection import Connection

log = logging.getLogger(__name__)

WRITERS = 0x76696475
"""The advisory lock that every writing transaction holds: one budget is checked at a time."""

READ_LIMIT_S = 5.0
CLOCK = "extract(epoch FROM clock_timestamp())::float8 AS now"


class PostgresDatabase:
    """One connection for statements and one for locks; see `Database`.

    Args:
        url: `postgresql://user@host/database`, or another connection string of libpq's.
        spool: The folder where fal's answers wait while the server is away.
        host: This machine's name.

    Raises:
        LedgerUnavailableError: The server cannot be reached, or is not one that can be used.
        InvalidSettingError: The driver is not installed, or the address cannot be read.
    """

    def __init__(self, url: str, spool: Path, host: str) -> None:
        self.place = describe(url)
        self.host = host
        self.is_shared = True
        self._url = url
        self._spool = Spool(spool)
        self._db: Connection | None = None
        self._is_writing = False
        self._clock = 0.0
        self._locks = PostgresLocks(self._connect, self.place)
        self.create_tables()

    def close(self) -> None:
        """Close both connections, and with the second let go of all locks."""
        self._locks.close()
        if self._db:
            self._db.close()

    def now(self) -> float:
        """Return the server's time at the last transaction plus what has passed since."""
        return self._clock + time.monotonic()

    def day_time(self, server_time: float | None) -> float | None:
        """Return the server's time, which all machines share; see `Database`."""
        return self.now()

    def rows(self, query: str, *values: object) -> list[Row]:
        """Return the rows of a query; see `Database`."""
        if self._is_writing:  # never on another connection, were this one lost
            return self._run(query, values).fetchall()
        return until_answered(READ_LIMIT_S, lambda: self._read(query, values))

    def execute(self, statement: str, *values: object) -> int:
        """Run a statement inside a transaction; see `Database`."""
        return self._run(statement, values).rowcount

    @contextlib.contextmanager
    def transaction(self, *, timeout_s: float) -> Iterator[None]:
        """Hold off every other writer; see `Database`."""
        self._begin(timeout_s)
        self._is_writing = True
        try:
            yield
            self._run("COMMIT")
        except DatabaseUnreachableError:
            self._drop()
            raise
        except BaseException:
            with contextlib.suppress(LedgerUnavailableError):
                self._run("ROLLBACK")
            raise
        finally:
            self._is_writing = False

    @contextlib.contextmanager
    def holding(self, change: Row) -> Iterator[None]:
        """Keep a change on this machine's disk until the server has it; see `Database`."""
        try:
            held = self._spool.write(change)
        except OSError as error:
            log.warning("The ledger's spool cannot be written: %s", error)
            held = None
        try:
            yield
        except RowChangedError:  # the server has answered: it must not be brought in later
            self._remove(held)
            raise
        self._remove(held)

    def _remove(self, held: Path | None) -> None:
        if held:
            with contextlib.suppress(OSError):  # brought in once more, it changes nothing
                remove_file(held)

    def record(self, *changes: Row) -> None:
        """Do nothing: the server keeps its own log, on a disk of its own."""

    def waiting(self) -> Sequence[tuple[Path, Row]]:
        """Return the changes that the server has not taken yet; see `Database`."""
        return self._spool.waiting()

    def others(self) -> Sequence[AbstractContextManager[OtherLedger]]:
        """Return none: all machines share this one."""
        return []

    def reserving(self) -> AbstractContextManager[None]:
        """Do nothing: a writing transaction holds off all machines."""
        return contextlib.nullcontext()

    def command(self, *arguments: object) -> str:
        """Return a shell command of this pack's; VIDU_LEDGER leads it to this server."""
        return command_line(*arguments)

    def lock_shot(
        self, fingerprint: str, on_waiting: Callable[[str], None]
    ) -> AbstractAsyncContextManager[None]:
        """Hold the lock of a shot; see `Database`."""
        return self._locks.hold(fingerprint, on_waiting)

    def check_lock(self, fingerprint: str) -> None:
        """Raise unless the lock of a shot is still held; see `Database`."""
        self._locks.check(fingerprint)

    def create_tables(self) -> None:
        """Make the schema and its tables unless they are there.

        Raises:
            LedgerUnavailableError: The role may not, or a newer version of this pack made them.
        """
        (found,) = self.rows(f"SELECT to_regclass('facts') AS there, {CLOCK}")
        self._set_clock(found)
        if found["there"] is None:
            with self.transaction(timeout_s=READ_LIMIT_S):
                self._create_missing_tables()
        version = self.rows("SELECT value FROM facts WHERE name = 'version'")[0]["value"]
        if int(version) > VERSION:
            raise LedgerUnavailableError(
                f"The ledger at {self.place} was made by a newer version of this pack.",
                "Update this machine's Vidu on fal, then run again.",
            )

    def _create_missing_tables(self) -> None:
        from .postgres_connection import SCHEMA

        # Not to_regclass, which may answer from what this session knew before it had the lock.
        tables = "SELECT 1 AS found FROM pg_tables WHERE schemaname = ? AND tablename = 'facts'"
        if self.rows(tables, SCHEMA):
            return  # another machine was faster
        if not self.rows("SELECT 1 AS found FROM pg_namespace WHERE nspname = ?", SCHEMA):
            self._run(f"CREATE SCHEMA {SCHEMA}")
        id_type = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
        for statement in create_statements(id_type):
            self._run(statement)
        self._run("INSERT INTO facts VALUES ('version', ?)", (str(VERSION),))

    def _read(self, query: str, values: tuple[object, ...]) -> list[Row]:
        try:
            self._open()
            return self._run(query, values).fetchall()
        except DatabaseUnreachableError:
            self._drop()
            raise

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> psycopg.Cursor[Any]:
        import psycopg

        try:
            if self._db is None:
                raise psycopg.OperationalError("the connection is closed")
            return self._db.execute(statement.replace("?", "%s"), values or None)
        except psycopg.Error as error:
            raise to_ledger_error(self.place, error) from error

    def _begin(self, timeout_s: float) -> None:
        give_up_at = time.monotonic() + timeout_s
        while True:
            try:
                self._open()
                self._run("BEGIN")
                # The time is read after the lock is had, for it may be waited for.
                locked = self._run(f"SELECT pg_advisory_xact_lock({WRITERS}), {CLOCK}")
                self._set_clock(locked.fetchall()[0])
                return
            except DatabaseUnreachableError:
                self._drop()
                if time.monotonic() > give_up_at:
                    raise
            except LedgerUnavailableError:
                self._drop()
                raise
            time.sleep(TRY_AGAIN_AFTER_S)

    def _set_clock(self, row: Row) -> None:
        self._clock = row["now"] - time.monotonic()

    def _open(self) -> None:
        if self._db is None or self._db.closed:
            self._db = self._connect()

    def _drop(self) -> None:
        if self._db:
            self._db.close()

    def _connect(self) -> Connection:
        from .postgres_connection import connect  # its driver is an extra

        return connect(self._url, self.place, self.host)


def import_driver() -> Any:
    """Return psycopg.

    Raises:
        InvalidSettingError: It is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise InvalidSettingError(
            f"VIDU_LEDGER names a PostgreSQL server, and the driver for it cannot be imported "
            f"({error}).",
            f"Install it with: {pip_command('psycopg[binary]', '3.2')}",
        ) from error
    return psycopg


def describe(url: str) -> str:
    """Return where a connection string leads, without its password.

    Raises:
        InvalidSettingError: It cannot be read, or the driver is not installed.
    """
    psycopg = import_driver()
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:  # its words may quote the password
        raise InvalidSettingError(
            "VIDU_LEDGER is not an address of a PostgreSQL server.",
            "Write postgresql://user@host/database; the password goes into PGPASSWORD or .pgpass.",
        ) from error
    if "service" in parts:
        return f"PostgreSQL (service {parts['service']})"
    user = f"{parts['user']}@" if "user" in parts else ""
    port = f":{parts['port']}" if "port" in parts else ""
    return f"postgresql://{user}{parts.get('host', '')}{port}/{parts.get('dbname', '')}"
