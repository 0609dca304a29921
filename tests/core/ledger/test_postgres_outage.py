"""The shared ledger's server away, restarted, or not one that can serve."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import InvalidSettingError, LedgerUnavailableError
from vidu.ledger import Budget
from vidu.ledger.postgres import describe
from vidu.ledger.schema import VERSION
from vidu.models import Output, State

from ...support.file_holder import FileHolder
from ...support.ledger_writers import start
from ...support.shared_rows import handle, shot


@contextmanager
def proxy_to(url: str, *, backend_pid: int | None = None) -> Iterator[tuple[str, threading.Event]]:
    """Listen on TCP before the server's socket; set the event to cut every connection.

    With a `backend_pid` it tells clients that one for their session, as poolers do.
    """
    folder = psycopg.conninfo.conninfo_to_dict(url)["host"]
    (path,) = (each for each in Path(folder).glob(".s.PGSQL.*") if each.suffix != ".lock")
    cut, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket, rewrite: bool) -> None:
        with source, target:
            while not cut.is_set():
                try:
                    data = source.recv(1 << 16)
                    if rewrite and (at := data.find(b"K\0\0\0")) >= 0:
                        data = data[: at + 5] + backend_pid.to_bytes(4, "big") + data[at + 9 :]
                    if not data:
                        return
                    target.sendall(data)
                except OSError:
                    return

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if cut.is_set():
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(path))
            open_sockets.extend((client, server))
            for one, other, rewrite in ((client, server, False), (server, client, True)):
                rewrite = rewrite and backend_pid is not None
                threading.Thread(target=pump, args=(one, other, rewrite), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    watch = threading.Thread(target=lambda: (cut.wait(), close(open_sockets)), daemon=True)
    watch.start()
    try:
        yield f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/postgres", cut
    finally:
        cut.set()
        listener.close()


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


# -- the server away -----------------------------------------------------------------------------


def test_server_away_before_paying_is_a_sentence(shared_ledger, machines, monkeypatch):
    monkeypatch.setattr("vidu.ledger.postgres_connection.CONNECT_LIMIT_S", 1.0)
    monkeypatch.setattr("vidu.ledger.reservation.TIMEOUT_BEFORE_PAYING_S", 1.0)
    with proxy_to(shared_ledger.url) as (url, cut):
        monkeypatch.setenv("VIDU_LEDGER", url)
        with Ledger.open(machines[0]) as ledger:
            cut.set()
            with pytest.raises(LedgerUnavailableError, match=r"cannot be reached.*Nothing was"):
                ledger.reserve(shot(), Budget())
        with pytest.raises(LedgerUnavailableError, match="cannot be reached"):
            Ledger.open(machines[0])


def test_answer_of_fal_waits_on_disk_while_the_server_is_away(shared_ledger, machines, monkeypatch):
    monkeypatch.setattr("vidu.ledger.postgres_connection.CONNECT_LIMIT_S", 1.0)
    monkeypatch.setattr("vidu.ledger.writes.TIMEOUT_AFTER_PAYING_S", 1.0)
    with proxy_to(shared_ledger.url) as (url, cut):
        monkeypatch.setenv("VIDU_LEDGER", url)
        with Ledger.open(machines[0]) as ledger:
            row = ledger.mark_submitting(ledger.reserve(shot(), Budget()), {})
            cut.set()
            with pytest.raises(LedgerUnavailableError):
                ledger.mark_submitted(row, handle(1))
    (waiting,) = (machines[0] / "spool").glob("*.json")
    assert json.loads(waiting.read_text())["request_id"] == "r-1"
    monkeypatch.setenv("VIDU_LEDGER", shared_ledger.url)
    with Ledger.open(machines[1]) as ledger:
        assert ledger.get(row.id).state is State.SUBMITTING
    with Ledger.open(machines[0]) as ledger:
        assert ledger.get(row.id).request_id == "r-1"
        assert ledger.get(row.id).state is State.SUBMITTED
    assert list((machines[0] / "spool").glob("*.json")) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_answer_of_fal_outlives_a_kill_beside_the_servers_commit(moment, shared_ledger, machines):
    script = """
import os, signal
from vidu.ledger.postgres import PostgresDatabase

def run_or_die(self, statement, values=(), real=PostgresDatabase._run):
    if statement != "COMMIT":
        return real(self, statement, values)
    if sys.argv[2] == "after":
        real(self, statement, values)
    os.kill(os.getpid(), signal.SIGKILL)

with Ledger.open(home) as book:
    row = book.mark_submitting(book.reserve(shot(0), Budget(Decimal(0))), {})
    PostgresDatabase._run = run_or_die
    book.mark_submitted(row, RequestHandle("r-1", "https://q/s", "https://q/r", "https://q/c"))
"""
    with start(script, machines[0], moment) as child:
        assert child.wait(60) == -signal.SIGKILL, child.stderr.read()
    assert len(list((machines[0] / "spool").glob("*.json"))) == 1
    with Ledger.open(machines[1]) as ledger:
        expected = State.SUBMITTED if moment == "after" else State.SUBMITTING
        assert [row.state for row in ledger.entries()] == [expected]
    with Ledger.open(machines[0]) as ledger:
        (row,) = ledger.entries()
    assert (row.state, row.request_id) == (State.SUBMITTED, "r-1")
    assert not list((machines[0] / "spool").glob("*"))


def test_spooled_change_held_by_another_program_ends_no_run(shared_ledger, machines, monkeypatch):
    """On Windows; the server has the change already, and its revision tells so."""
    holder = FileHolder(monkeypatch, "unlink", 8, ".json")
    with Ledger.open(machines[0]) as ledger:
        row = ledger.mark_submitting(ledger.reserve(shot(), Budget()), {})
        row = ledger.mark_submitted(row, handle(1))
        assert holder.refusals == 1
        row = ledger.mark_finished(row, Output("https://v3.fal.media/1.mp4"))
    assert holder.refusals == 0
    with Ledger.open(machines[0]) as ledger:
        assert ledger.get(row.id).state is State.FINISHED
    assert list((machines[0] / "spool").glob("*.json")) == []


def test_server_restarted_between_two_steps_is_reached_again(shared_ledger, machines):
    with Ledger.open(machines[0]) as ledger:
        row = ledger.mark_submitting(ledger.reserve(shot(), Budget()), {})
        shared_ledger.restart()
        row = ledger.mark_submitted(row, handle(1))
        shared_ledger.restart()
        assert ledger.get(row.id) == row
        assert ledger.reserve(shot(1), Budget()).state is State.RESERVED


# -- which server --------------------------------------------------------------------------------


def test_pooler_is_refused_in_words(shared_ledger, machines, monkeypatch):
    with proxy_to(shared_ledger.url, backend_pid=4711) as (url, _):
        monkeypatch.setenv("VIDU_LEDGER", url)
        with pytest.raises(LedgerUnavailableError, match="connection pooler"):
            Ledger.open(machines[0])


def test_newer_tables_are_refused_in_words(shared_ledger, machines):
    Ledger.open(machines[0]).close()
    shared_ledger.run_sql(f"UPDATE vidu.facts SET value = '{VERSION + 1}' WHERE name = 'version'")
    with pytest.raises(LedgerUnavailableError, match="newer version of this pack"):
        Ledger.open(machines[0])


def test_role_without_a_schema_is_told_what_its_owner_has_to_run(shared_ledger, machines):
    shared_ledger.run_sql("DROP ROLE IF EXISTS artist")
    shared_ledger.run_sql("CREATE ROLE artist LOGIN")
    folder = psycopg.conninfo.conninfo_to_dict(shared_ledger.url)["host"]
    url = f"postgresql://artist@/postgres?host={folder}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDU_LEDGER", url)
        with pytest.raises(LedgerUnavailableError, match="CREATE SCHEMA vidu AUTHORIZATION"):
            Ledger.open(machines[0])
        shared_ledger.run_sql("CREATE SCHEMA vidu AUTHORIZATION artist")
        with Ledger.open(machines[0]) as ledger:
            assert ledger.reserve(shot(), Budget()).state is State.RESERVED
    shared_ledger.run_sql("DROP SCHEMA vidu CASCADE")
    shared_ledger.run_sql("DROP ROLE artist")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://artist:geheim@db.studio:5433/ledger",
        "host=db.studio port=5433 user=artist password=geheim dbname=ledger",
    ],
)
def test_password_is_never_shown(url, machines, monkeypatch):
    assert describe(url) == "postgresql://artist@db.studio:5433/ledger"
    monkeypatch.setattr("vidu.ledger.postgres_connection.CONNECT_LIMIT_S", 0.0)
    monkeypatch.setenv("VIDU_LEDGER", url.replace("db.studio", "127.0.0.1").replace("5433", "1"))
    with pytest.raises(LedgerUnavailableError) as told:
        Ledger.open(machines[0])
    assert "geheim" not in str(told.value)


def test_address_that_is_none_is_refused_without_repeating_it(machines, monkeypatch):
    monkeypatch.setenv("VIDU_LEDGER", "postgresql://a:geheim@[")
    with pytest.raises(InvalidSettingError) as told:
        Ledger.open(machines[0])
    assert "geheim" not in str(told.value)


def test_missing_driver_is_a_sentence_that_says_how_to_install_it(machines, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidSettingError) as told:
        Ledger.open(machines[0])
    assert "the driver for it cannot be imported" in str(told.value)
    assert "psycopg[binary]" in str(told.value)


def test_refused_change_is_not_brought_in_later(shared_ledger, machines):
    with Ledger.open(machines[0]) as ledger:
        row = ledger.reserve(shot(), Budget())
        with pytest.raises(LedgerUnavailableError, match="Another process changed"):
            ledger.mark_cancelled(row)
        assert list((machines[0] / "spool").glob("*")) == []
    with Ledger.open(machines[0]) as ledger:
        assert ledger.entries() == [row]
