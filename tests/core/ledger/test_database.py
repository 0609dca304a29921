"""A ledger file whose writer is killed, whose disk is full or that another program holds."""

from __future__ import annotations

import os
import random

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.errors import LedgerUnavailableError
from vidu.ledger import Budget, sqlite
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import State

from ...support.ledger_rows import FREE, TIMEOUT_S, shot
from ...support.ledger_writers import ROWS, assert_whole, filled, handle, set_aside, start

# -- a killed process ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_committed_rows_after_a_kill_are_there(home, seed):
    """The child says a step only after the ledger has returned; each said step must be there."""
    script = """
with Ledger.open(home) as ledger:
    for number in range(100_000):
        row = ledger.reserve(shot(number), Budget(Decimal(0)))
        print(number, "reserved")
        row = ledger.mark_submitting(row, {"prompt": "waves"})
        print(number, "submitting")
        ledger.mark_submitted(row, RequestHandle(f"r-{number}", "https://q/s", "https://q/r", "https://q/c"))
        print(number, "submitted")
"""
    order = [State.RESERVED, State.SUBMITTING, State.SUBMITTED]
    with start(script, home) as child:
        said = [child.stdout.readline() for _ in range(random.Random(seed).randrange(1, 200))]
        child.kill()
        said += child.stdout.readlines()
    promised = {}
    for line in said:
        if line.endswith("\n"):
            number, state = line.split()
            promised[int(number)] = State(state)
    with Ledger.open(home) as ledger:
        for number, state in promised.items():
            row = ledger.active(shot(number).fingerprint)
            assert order.index(row.state) >= order.index(state)
            assert row.state is not State.SUBMITTED or row.handle == handle(number)
        assert len(ledger.entries()) - len(promised) in (0, 1)
        ledger.reserve(shot(-1), Budget(FREE))
    if (home / LEDGER_FILE).exists():
        assert_whole(home / LEDGER_FILE)
    assert not set_aside(home)


def test_transaction_of_a_killed_writer_leaves_no_row_and_no_lock(tmp_path):
    filled(tmp_path)
    script = """
import sqlite3
db = sqlite3.connect(home / LEDGER_FILE, isolation_level=None)
db.execute("PRAGMA cache_size = 1")  # so that unfinished pages do reach the file
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE entries SET state = 'failed', prompt = prompt || hex(randomblob(2000))")
print("amid")
sys.stdin.readline()
"""
    with start(script, tmp_path) as child:
        assert child.stdout.readline() == "amid\n"
        child.kill()
    with Ledger.open(tmp_path) as ledger:
        assert {row.state for row in ledger.entries()} == {State.SUBMITTED}
        ledger.reserve(shot(ROWS), Budget(FREE))
    assert_whole(tmp_path / LEDGER_FILE)


def test_transaction_of_a_killed_writer_on_a_server_leaves_no_row_and_no_lock(
    shared_ledger, tmp_path
):
    script = """
from vidu.ledger.postgres import PostgresDatabase
import os
db = PostgresDatabase(os.environ["VIDU_LEDGER"], home, "one")
with db.transaction(timeout_s=60):
    db.execute("UPDATE entries SET state = 'failed'")
    print("amid")
    sys.stdin.readline()
"""
    with Ledger.open(tmp_path) as ledger:
        row = ledger.reserve(shot(0), Budget(FREE))
        with start(script, tmp_path) as child:
            assert child.stdout.readline() == "amid\n"
            child.kill()
        assert ledger.reserve(shot(1), Budget(FREE)).state is State.RESERVED
        assert ledger.get(row.id) == row


# -- no disk, no folder --------------------------------------------------------------------------


def test_open_ledger_where_the_folder_is_a_file_is_refused(tmp_path):
    (tmp_path / "home").write_text("no folder")
    for home in (tmp_path / "home", tmp_path / "home" / "below"):
        with pytest.raises(LedgerUnavailableError, match="cannot be used") as told:
            Ledger.open(home)
        assert str(home) in str(told.value)
        assert "Nothing was charged." in str(told.value)


def test_open_ledger_where_the_file_is_a_folder_is_refused(tmp_path):
    (tmp_path / LEDGER_FILE).mkdir()
    with pytest.raises(LedgerUnavailableError, match="cannot be used"):
        Ledger.open(tmp_path)
    assert (tmp_path / LEDGER_FILE).is_dir()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows lets no process limit its files")
def test_reserve_on_a_full_disk_is_refused_and_loses_nothing(tmp_path):
    """A limit on the size of files stands for the disk: to SQLite both are a write that fails."""
    script = """
import resource
ledger = Ledger.open(home)
held = [ledger.reserve(shot(number), Budget(Decimal(0))) for number in range(20)]
size = max(path.stat().st_size for path in home.glob(LEDGER_FILE + "*"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
for attempt in range(3):
    try:
        ledger.reserve(shot(99), Budget(Decimal(0)))
    except LedgerUnavailableError as error:
        print(error)
    else:
        print("written")
    try:
        ledger.mark_submitting(held[0], {})
    except LedgerUnavailableError as error:
        print(error)
    else:
        print("written")
print(ledger.active(shot(99).fingerprint), ledger.entries() == held[::-1])
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(ledger.mark_submitting(ledger.reserve(shot(99), Budget(Decimal(0))), {}).state.value)
"""
    with start(script, tmp_path) as child:
        *refused, before, after = child.communicate(timeout=TIMEOUT_S)[0].splitlines()
    assert len(refused) == 6
    for line in refused:
        assert "cannot be used" in line
        assert "Check that its disk is not full" in line
    assert before == "None True"
    assert after == "submitting"
    with Ledger.open(tmp_path) as ledger:
        assert len(ledger.entries()) == 21
        assert ledger.active(shot(99).fingerprint).state is State.SUBMITTING
    assert_whole(tmp_path / LEDGER_FILE)


LOCKER = """
import sqlite3
db = sqlite3.connect(home / LEDGER_FILE, isolation_level=None)
db.execute(sys.argv[2])
print("locked")
sys.stdin.readline()
db.execute("COMMIT")
"""


def test_reserve_in_a_locked_ledger_is_refused_after_its_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_LIMIT_S", 0.3)
    with Ledger.open(tmp_path) as ledger:
        row = ledger.reserve(shot(0), Budget(FREE))
        with start(LOCKER, tmp_path, "BEGIN IMMEDIATE") as locker:
            assert locker.stdout.readline() == "locked\n"
            for write in (
                lambda: ledger.reserve(shot(1), Budget(FREE)),
                lambda: ledger.mark_submitting(row, {}),
                lambda: ledger.delete(row),
            ):
                with pytest.raises(LedgerUnavailableError, match="database is locked"):
                    write()
            assert ledger.active(shot(0).fingerprint) == row  # reading is not a matter of locks
            with Ledger.open(tmp_path) as other:
                assert other.entries() == [row]
            locker.communicate("go on\n", timeout=TIMEOUT_S)
        assert ledger.mark_submitting(row, {}).state is State.SUBMITTING


def test_reserve_waits_for_a_short_lock(tmp_path):
    script = """
import sqlite3, time
db = sqlite3.connect(home / LEDGER_FILE, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked")
time.sleep(0.5)
db.execute("COMMIT")
"""
    with Ledger.open(tmp_path) as ledger, start(script, tmp_path) as locker:
        assert locker.stdout.readline() == "locked\n"
        assert ledger.reserve(shot(0), Budget(FREE)).id == 1


def test_open_ledger_held_open_for_ever_is_refused_after_its_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_LIMIT_S", 0.3)
    Ledger.open(tmp_path).close()
    script = """
from filelock import FileLock
with FileLock(home / (LEDGER_FILE + ".opening")):
    print("opening")
    sys.stdin.readline()
"""
    with start(script, tmp_path) as opener:
        assert opener.stdout.readline() == "opening\n"
        with pytest.raises(LedgerUnavailableError, match="cannot be used"):
            Ledger.open(tmp_path)
        opener.kill()
    Ledger.open(tmp_path).close()
