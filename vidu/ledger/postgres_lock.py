"""One run of a shot at a time over all machines: advisory locks of PostgreSQL's."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from ..errors import LedgerUnavailableError
from .database import until_answered
from .postgres_errors import to_ledger_error
from .worker import Worker

if TYPE_CHECKING:
    from .postgres_connection import Connection

POLL_EVERY_S = 1.0
LOCK_LIMIT_S = 5.0
"""How long the server may be out of reach for one who waits for a shot."""

HOLDER = """
    SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32 | objid::bigint) = %(key)s
"""
TRY = f"SELECT pg_try_advisory_lock(%(key)s) AS held, ({HOLDER} LIMIT 1) AS holder"


class PostgresLocks:
    """Session locks on a connection of their own, which end with the process or the machine.

    Args:
        connect: Opens a connection.
        place: Where the server is, in words.
    """

    def __init__(self, connect: Callable[[], Connection], place: str) -> None:
        self._connect = connect
        self._place = place
        self._worker = Worker()
        self._mutex = threading.Lock()
        self._db: Connection | None = None
        self._held: set[str] = set()
        # A session may take its own lock twice, so runs of this process wait for each other here.
        self._local: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def close(self) -> None:
        """Let go of every lock."""
        self._worker.stop()
        if self._db:
            self._db.close()

    @contextlib.asynccontextmanager
    async def hold(
        self, fingerprint: str, on_waiting: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Hold the lock of a shot.

        Args:
            fingerprint: The shot.
            on_waiting: Called about once a second while another run holds it, with its host.

        Raises:
            LedgerUnavailableError: The server cannot be asked.
        """
        key = lock_key(fingerprint)
        local = self._local.setdefault(fingerprint, asyncio.Lock())
        while not await _acquire(local):
            on_waiting("")
        try:
            while (holder := await self._worker.run(self._try_lock, key)) is not None:
                on_waiting(holder)
                await asyncio.sleep(POLL_EVERY_S)
            self._held.add(fingerprint)
            yield
        finally:
            self._held.discard(fingerprint)
            try:  # also when a cancelled task took the lock and never heard of it
                await self._worker.run(self._unlock, key)
            finally:
                local.release()

    def check(self, fingerprint: str) -> None:
        """Raise `LedgerUnavailableError` when the lock of a shot was taken and has been lost."""
        query = f"{HOLDER} AND pid = pg_backend_pid()"
        if fingerprint not in self._held:
            return
        if not self._ask(query, lock_key(fingerprint), reconnect=False):
            raise LedgerUnavailableError(
                f"The connection to the ledger at {self._place} was lost for a moment, and with it "
                "the lock that keeps other machines from this shot.",
                "Run the same shot again.",
            )

    def _try_lock(self, key: int) -> str | None:
        """Take the lock and return None, or return the host that holds it."""
        rows = until_answered(LOCK_LIMIT_S, lambda: self._ask(TRY, key, reconnect=True))
        return None if rows[0]["held"] else (rows[0]["holder"] or "").removeprefix("vidu ")

    def _unlock(self, key: int) -> None:
        with contextlib.suppress(LedgerUnavailableError):  # a lost connection holds no lock
            self._ask("SELECT pg_advisory_unlock(%(key)s)", key, reconnect=False)

    def _ask(self, query: str, key: int, *, reconnect: bool) -> list[dict[str, Any]]:
        import psycopg

        with self._mutex:
            try:
                if reconnect and (self._db is None or self._db.closed):
                    self._db = self._connect()
                if self._db is None:
                    return []
                return self._db.execute(query, {"key": key}).fetchall()
            except psycopg.Error as error:
                if self._db:
                    self._db.close()
                raise to_ledger_error(self._place, error) from error


def lock_key(fingerprint: str) -> int:
    """Return the 64 bits that name a shot's lock."""
    return int.from_bytes(bytes.fromhex(fingerprint[:16]), "big", signed=True)


async def _acquire(lock: asyncio.Lock) -> bool:
    try:
        await asyncio.wait_for(lock.acquire(), POLL_EVERY_S)
    except asyncio.TimeoutError:
        return False
    return True
