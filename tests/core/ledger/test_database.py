"""The ledger where something is taken from it: its process, its pages, its disk, its turn."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import Charge, LedgerIncompleteError, LedgerUnavailableError
from vidu.ledger import Budget, sqlite
from vidu.ledger.opening import LEDGER_FILE
from vidu.media.image import EncodedImage
from vidu.models import RequestHandle, State
from vidu.request import Request

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60  # for what must come, however slow the machine; nothing here is measured
FREE = Decimal(0)
PAGE = 4096
ROWS = 200

CHILD = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "support")!r}]
from decimal import Decimal
from pathlib import Path
from vidu.models import RequestHandle
from vidu.errors import LedgerUnavailableError
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from blocking_ledger import BlockingLedger as Ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.ledger import Budget
from vidu.request import Request
from vidu.media.image import EncodedImage

def shot(number):
    return Request(
        VIDU_IMAGE_TO_VIDEO,
        f"shot {{number}}",
        media={{"image": (EncodedImage(b"", "image/png", 64, 64, "ab" * 32),)}},
    )

home = Path(sys.argv[1])
"""


def shot(number: int) -> Request:
    return Request(
        VIDU_IMAGE_TO_VIDEO,
        f"shot {number}",
        media={"image": (EncodedImage(b"", "image/png", 64, 64, "ab" * 32),)},
    )


def handle(number: int) -> RequestHandle:
    return RequestHandle(f"r-{number}", "https://q/s", "https://q/r", "https://q/c")


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", CHILD + script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def filled(home: Path) -> Path:
    """A ledger of many pages, each row SUBMITTED, all of it in its one file."""
    with Ledger.open(home) as book:
        for number in range(ROWS):
            row = book.mark_submitting(
                book.reserve(shot(number), Budget(FREE)), {"prompt": "waves " * 60}
            )
            book.mark_submitted(row, handle(number))
    path = home / LEDGER_FILE
    assert [each.name for each in home.glob(f"{LEDGER_FILE}-*")] == []
    return path


def overwrite(path: Path, first: int, past: int, content: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(first)
        file.write(content * ((past - first) // len(content)))


def page_with(path: Path, text: str) -> tuple[int, int]:
    first = path.read_bytes().index(text.encode()) // PAGE * PAGE
    return first, first + PAGE


def set_aside(home: Path) -> list[Path]:
    found = sorted(home.glob(f"{LEDGER_FILE}.damaged-*"))
    return [path for path in found if not path.name.endswith(("-wal", "-shm"))]


def assert_whole(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# -- a killed process ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_what_was_committed_outlives_a_kill(tmp_path, seed):
    """The child says a step only after the ledger has returned; each said step must be there."""
    script = """
with Ledger.open(home) as book:
    for number in range(100_000):
        row = book.reserve(shot(number), Budget(Decimal(0)))
        print(number, "reserved")
        row = book.mark_submitting(row, {"prompt": "waves"})
        print(number, "submitting")
        book.mark_submitted(row, RequestHandle(f"r-{number}", "https://q/s", "https://q/r", "https://q/c"))
        print(number, "submitted")
"""
    order = [State.RESERVED, State.SUBMITTING, State.SUBMITTED]
    with start(script, tmp_path) as child:
        said = [child.stdout.readline() for _ in range(random.Random(seed).randrange(1, 200))]
        child.kill()
        said += child.stdout.readlines()
    promised = {}
    for line in said:
        if line.endswith("\n"):
            number, state = line.split()
            promised[int(number)] = State(state)
    with Ledger.open(tmp_path) as book:
        for number, state in promised.items():
            row = book.active(shot(number).fingerprint)
            assert order.index(row.state) >= order.index(state)
            assert row.state is not State.SUBMITTED or row.handle == handle(number)
        assert len(book.entries()) - len(promised) in (0, 1)
        book.reserve(shot(-1), Budget(FREE))
    assert_whole(tmp_path / LEDGER_FILE)
    assert not set_aside(tmp_path)


def test_a_writer_killed_amid_a_transaction_leaves_nothing_of_it_and_no_lock(tmp_path):
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
    with Ledger.open(tmp_path) as book:
        assert {row.state for row in book.entries()} == {State.SUBMITTED}
        book.reserve(shot(ROWS), Budget(FREE))
    assert_whole(tmp_path / LEDGER_FILE)


# -- damage --------------------------------------------------------------------------------------

NOISE = random.Random(7).randbytes(PAGE)


@pytest.mark.parametrize(
    ("first", "past"),
    [(0, 16), (0, 100), (16, 18), (100, PAGE), (0, PAGE)],
    ids=["magic", "header", "page size", "schema", "first page"],
)
@pytest.mark.parametrize("content", [NOISE, b"\0"], ids=["noise", "zeros"])
def test_a_damaged_beginning_is_set_aside_and_every_row_rescued(
    tmp_path, caplog, first, past, content
):
    path = filled(tmp_path)
    with Ledger.open(tmp_path) as book:
        held = book.entries()
    overwrite(path, first, past, content[: past - first])
    damaged = path.read_bytes()
    with caplog.at_level(logging.WARNING), Ledger.open(tmp_path) as book:
        assert book.entries() == held
        assert book.reserve(shot(0), Budget(FREE)) == held[-1]
        assert book.reserve(shot(ROWS), Budget(FREE)).id == ROWS + 1
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == damaged
    assert_whole(path)
    assert aside.name in caplog.text
    assert f"{ROWS} rows rescued" in caplog.text
    assert not list(tmp_path.glob("rescue-*"))


@pytest.mark.parametrize("content", [NOISE, b"\0"], ids=["noise", "zeros"])
def test_a_damaged_page_in_the_middle_is_met_once_and_all_rows_rescued(tmp_path, content):
    path = filled(tmp_path)
    overwrite(path, *page_with(path, "shot 100"), content)
    damaged = path.read_bytes()
    with Ledger.open(tmp_path) as book:
        with pytest.raises(LedgerUnavailableError) as met:
            book.entries()
        assert "was damaged: it is set aside" in str(met.value)
        assert met.value.charge is Charge.NOT_SPENT
        rescued = book.entries()
        assert len(rescued) == ROWS  # what the page held, the journal holds as well
        assert {row.state for row in rescued} == {State.SUBMITTED}
        assert all(row.handle == handle(row.id - 1) for row in rescued)
        book.reserve(shot(ROWS), Budget(FREE))
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == damaged
    assert_whole(path)


def test_damage_met_while_writing_changes_nothing_and_is_mended(tmp_path):
    path = filled(tmp_path)
    with Ledger.open(tmp_path) as book:
        held = book.entries()
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'one_active_entry'"
        (root,) = db.execute(query).fetchone()
    overwrite(path, (root - 1) * PAGE, root * PAGE, NOISE)
    with Ledger.open(tmp_path) as book:
        with pytest.raises(LedgerUnavailableError, match="was damaged"):
            book.reserve(shot(ROWS), Budget(FREE))
        assert book.entries() == held  # only an index was lost
        assert book.reserve(shot(ROWS), Budget(FREE)).id == ROWS + 1
    assert len(set_aside(tmp_path)) == 1


def test_who_has_it_open_when_another_rescues_it_goes_on_in_the_rescued_one(tmp_path):
    path = filled(tmp_path)
    with Ledger.open(tmp_path) as one, Ledger.open(tmp_path) as other:
        overwrite(path, *page_with(path, "shot 100"), NOISE)
        with pytest.raises(LedgerUnavailableError, match="was damaged"):
            one.entries()
        # Written to the file that was set aside, it would be lost, and paid for again.
        row = other.reserve(shot(ROWS), Budget(FREE))
        assert one.get(row.id) == row
        assert one.entries() == other.entries() != []
    assert len(set_aside(tmp_path)) == 1


def test_eight_processes_that_find_it_damaged_rescue_it_once(tmp_path):
    path = filled(tmp_path)
    overwrite(path, 0, PAGE, NOISE)
    script = """
print("ready")
sys.stdin.readline()
with Ledger.open(home) as book:
    print(len(book.entries()))
"""
    children = [start(script, tmp_path) for _ in range(8)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=PATIENCE_S)[0].strip() for child in children]
    assert said == [str(ROWS)] * 8
    assert len(set_aside(tmp_path)) == 1


@pytest.mark.parametrize("rows", [0, ROWS], ids=["all", "the last"])
def test_what_only_the_log_holds_is_rescued_too(tmp_path, rows):
    """A killed process leaves what it wrote last in the write-ahead log alone."""
    if rows:
        filled(tmp_path)
    script = """
book = Ledger.open(home)
row = book.reserve(shot(100), Budget(Decimal(0)))
if not row.handle:
    row = book.mark_submitted(book.mark_submitting(row, {}), RequestHandle("r-100", "s", "r", "c"))
book.mark_cancelled(row)
print("written")
sys.stdin.readline()
"""
    with start(script, tmp_path) as child:
        assert child.stdout.readline() == "written\n"
        child.kill()
    path = tmp_path / LEDGER_FILE
    assert path.with_name(f"{LEDGER_FILE}-wal").stat().st_size > 0
    overwrite(path, 0, 100, NOISE[:100])
    with Ledger.open(tmp_path) as book:
        assert len(book.entries()) == (rows or 1)
        assert book.active(shot(100).fingerprint).state is State.CANCELLED


@pytest.mark.parametrize("content", [b"not a database, only text " * 400, b"\0" * 9 * PAGE])
def test_a_file_that_was_never_a_ledger_is_kept_under_another_name(tmp_path, content):
    (tmp_path / LEDGER_FILE).write_bytes(content)
    with Ledger.open(tmp_path) as book:
        assert book.entries() == []
        with pytest.raises(LedgerIncompleteError, match="may have been paid for already"):
            book.reserve(shot(0), Budget())
        book.accept_loss()
        book.reserve(shot(0), Budget())
    (aside,) = set_aside(tmp_path)
    assert aside.read_bytes() == content


# -- no disk, no folder --------------------------------------------------------------------------


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "home").write_text("no folder")
    for home in (tmp_path / "home", tmp_path / "home" / "below"):
        with pytest.raises(LedgerUnavailableError, match="cannot be used") as told:
            Ledger.open(home)
        assert str(home) in str(told.value)
        assert "Nothing was charged." in str(told.value)


def test_a_folder_where_the_file_should_be_is_told(tmp_path):
    (tmp_path / LEDGER_FILE).mkdir()
    with pytest.raises(LedgerUnavailableError, match="cannot be used"):
        Ledger.open(tmp_path)
    assert (tmp_path / LEDGER_FILE).is_dir()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows lets no process limit its files")
def test_on_a_full_disk_nothing_is_intended_and_nothing_lost(tmp_path):
    """A limit on the size of files stands for the disk: to SQLite both are a write that fails."""
    script = """
import resource
book = Ledger.open(home)
held = [book.reserve(shot(number), Budget(Decimal(0))) for number in range(20)]
size = max(path.stat().st_size for path in home.glob(LEDGER_FILE + "*"))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
for attempt in range(3):
    try:
        book.reserve(shot(99), Budget(Decimal(0)))
    except LedgerUnavailableError as error:
        print(error)
    else:
        print("written")
    try:
        book.mark_submitting(held[0], {})
    except LedgerUnavailableError as error:
        print(error)
    else:
        print("written")
print(book.active(shot(99).fingerprint), book.entries() == held[::-1])
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(book.mark_submitting(book.reserve(shot(99), Budget(Decimal(0))), {}).state.value)
"""
    with start(script, tmp_path) as child:
        *refused, before, after = child.communicate(timeout=PATIENCE_S)[0].splitlines()
    assert len(refused) == 6
    for line in refused:
        assert "cannot be used" in line
        assert "Check that its disk is not full" in line
    assert before == "None True"
    assert after == "submitting"
    with Ledger.open(tmp_path) as book:
        assert len(book.entries()) == 21
        assert book.active(shot(99).fingerprint).state is State.SUBMITTING
    assert_whole(tmp_path / LEDGER_FILE)


# -- another process has it ----------------------------------------------------------------------

LOCKER = """
import sqlite3
db = sqlite3.connect(home / LEDGER_FILE, isolation_level=None)
db.execute(sys.argv[2])
print("locked")
sys.stdin.readline()
db.execute("COMMIT")
"""


def test_a_locked_ledger_is_told_in_words_and_not_waited_for_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_LIMIT_S", 0.3)
    with Ledger.open(tmp_path) as book:
        row = book.reserve(shot(0), Budget(FREE))
        with start(LOCKER, tmp_path, "BEGIN IMMEDIATE") as locker:
            assert locker.stdout.readline() == "locked\n"
            for write in (
                lambda: book.reserve(shot(1), Budget(FREE)),
                lambda: book.mark_submitting(row, {}),
                lambda: book.delete(row),
            ):
                with pytest.raises(LedgerUnavailableError, match="database is locked"):
                    write()
            assert book.active(shot(0).fingerprint) == row  # reading is no matter of locks
            with Ledger.open(tmp_path) as other:
                assert other.entries() == [row]
            locker.communicate("go on\n", timeout=PATIENCE_S)
        assert book.mark_submitting(row, {}).state is State.SUBMITTING


def test_a_write_waits_for_a_short_lock(tmp_path):
    script = """
import sqlite3, time
db = sqlite3.connect(home / LEDGER_FILE, isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked")
time.sleep(0.5)
db.execute("COMMIT")
"""
    with Ledger.open(tmp_path) as book, start(script, tmp_path) as locker:
        assert locker.stdout.readline() == "locked\n"
        assert book.reserve(shot(0), Budget(FREE)).id == 1


def test_one_who_opens_it_for_ever_does_not_hold_up_the_others_for_ever(tmp_path, monkeypatch):
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
