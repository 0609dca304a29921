"""The choice of the ledger: a file of one user, or a server that several machines share."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from ..errors import InvalidSettingError
from ..settings import default_data_dir, ledger_url
from .database import Database
from .ledger import Ledger
from .registry import LedgerRegistry
from .sqlite import SqliteDatabase
from .worker import Worker
from .writes import bring_in

LEDGER_FILE = "ledger.sqlite"
SPOOL = "spool"


@contextlib.asynccontextmanager
async def open_ledger(
    data_dir: Path | None,
    *,
    now: Callable[[], float] = time.time,
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Ledger]:
    """Open the ledger that the settings in `data_dir` name; it is made when it is missing.

    Args:
        data_dir: The folder; None is a ledger in memory, which ends with this call.
        now: The clock of a ledger in a file, in seconds since 1970; a server has its own.
        environ: The environment that may hold VIDU_LEDGER.

    Raises:
        LedgerUnavailableError: It cannot be opened: locked, read-only, out of reach, or made by a
            newer version.
        InvalidSettingError: The settings cannot be read, or the server's driver is not installed.
    """
    worker = Worker()
    opened = contextlib.ExitStack()
    try:
        # Entered in the thread: a task that is cancelled while it waits leaves nothing open.
        database = await worker.run(
            lambda: opened.enter_context(contextlib.closing(_open_database(data_dir, now, environ)))
        )
        yield Ledger(database, worker)
    finally:
        await worker.run(opened.close)
        worker.stop()


def ignore_ledger(path: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Let shots be paid for without another ledger of this user, which is gone for good.

    Args:
        path: Its file.
        environ: The environment that may hold VIDU_HOME.

    Raises:
        InvalidSettingError: No such ledger is known.
        OSError: The note of it cannot be removed.
    """
    LedgerRegistry(default_data_dir(environ)).forget(path)


def _shared_dir(environ: Mapping[str, str]) -> Path | None:
    try:
        return default_data_dir(environ)
    except InvalidSettingError:  # a user without a home folder has no other ledger either
        return None


def _open_database(
    data_dir: Path | None, now: Callable[[], float], environ: Mapping[str, str]
) -> Database:
    if data_dir is None:
        return SqliteDatabase(None, now)
    url = ledger_url(data_dir, environ)
    if not url:
        return SqliteDatabase(data_dir / LEDGER_FILE, now, _shared_dir(environ))
    from .postgres import PostgresDatabase  # its driver is an extra

    database = PostgresDatabase(url, data_dir / SPOOL, socket.gethostname())
    bring_in(database)
    return database
