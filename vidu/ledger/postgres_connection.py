"""A connection to PostgreSQL whose statements end, whatever happens on the way to the server."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg.rows import dict_row

from ..errors import LedgerUnavailableError
from .postgres_errors import to_ledger_error

T = TypeVar("T")

SCHEMA = "vidu"
CONNECT_LIMIT_S = 5.0
ANSWER_LIMIT_S = 25.0
"""How long a statement may take by this machine's clock: more than the server gives it."""

IDLE_LIMIT_S = 5.0
"""How long a machine that falls silent amid a transaction holds up the others."""

SESSION = """
SET search_path = {schema};
SET statement_timeout = '20s';
SET lock_timeout = '15s';
SET idle_in_transaction_session_timeout = '{idle_ms}ms';
SET tcp_keepalives_idle = 15;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3
"""
"""The keepalives let the server notice within half a minute that a machine has died."""

KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Connection(psycopg.Connection[dict[str, Any]]):
    """A connection that gives up on a server which neither answers nor hangs up.

    Keepalives do not notice it where a proxy or a firewall answers them in the server's place.
    """

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        """Run the steps of a statement; see psycopg."""
        return super().wait(_limited(gen, ANSWER_LIMIT_S), *args, **options)


def connect(url: str, place: str, host: str) -> Connection:
    """Open a connection.

    Args:
        url: A connection string of libpq's.
        place: Where it leads, in words without the password.
        host: This machine's name, which the server shows beside the connection.

    Raises:
        LedgerUnavailableError: The server cannot be reached, or a connection pooler is before it.
    """
    try:
        db = Connection.connect(
            url,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"vidu {host}"[:63],
            connect_timeout=int(CONNECT_LIMIT_S),
            prepare_threshold=None,
            **KEEPALIVES,
        )
    except psycopg.Error as error:
        raise to_ledger_error(place, error) from error
    try:
        backend = db.execute("SELECT pg_backend_pid() AS pid").fetchone()
        if backend is None or backend["pid"] != db.info.backend_pid:
            raise LedgerUnavailableError(
                f"The ledger at {place} is behind a connection pooler, through which the "
                "locks that keep two machines from paying for one shot do not work.",
                "Give VIDU_LEDGER the address of the PostgreSQL server itself.",
            )
        db.execute(SESSION.format(schema=SCHEMA, idle_ms=int(IDLE_LIMIT_S * 1000)))
    except psycopg.Error as error:
        db.close()
        raise to_ledger_error(place, error) from error
    except BaseException:
        db.close()
        raise
    return db


def _limited(steps: Generator[Any, Any, T], limit_s: float) -> Generator[Any, Any, T]:
    # psycopg comes back here ten times a second while it waits.
    give_up_at = time.monotonic() + limit_s
    try:
        state = next(steps)
        while True:
            ready = yield state
            if time.monotonic() > give_up_at:
                raise psycopg.OperationalError(f"the server did not answer for {limit_s:g} s")
            state = steps.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
