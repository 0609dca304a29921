"""The ledger on real files, threads and processes; test_ledger_trouble.py takes those away."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from vidu.entry import Entry, KeptFile, Output, Receipt, State
from vidu.errors import BudgetExceeded, LedgerUnavailable
from vidu.ledger import LEDGER_FILE, Ledger
from vidu.ledger_file import MIGRATIONS
from vidu.request import Request
from vidu.still import Still

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60  # for what must come, however slow the machine; nothing here is measured
FREE = Decimal(0)
PRICE = Decimal("0.20")

RECEIPT = Receipt("r-1", "https://q/r-1/status", "https://q/r-1", "https://q/r-1/cancel")
OUTPUT = Output("https://x/1.mp4", 1234, 1.0)
FILE = KeptFile(Path("clips/Vidu_00001_.mp4"), 1234, "cd" * 32, 1280, 720, 24.0, 96, 4.0)

CHILD = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from decimal import Decimal
from pathlib import Path
from vidu.errors import BudgetExceeded, LedgerUnavailable
from vidu.ledger import Ledger
from vidu.request import Request
from vidu.still import Still

def shot(number):
    return Request((Still(b"", "image/png", 64, 64, "ab" * 32),), f"shot {{number}}")

home = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""

MOVES: dict[str, tuple[Callable[[Ledger, Entry], Entry], set[State]]] = {
    "posting": (lambda book, row: book.posting(row, {"prompt": "waves"}), {State.INTENDED}),
    "submitted": (lambda book, row: book.submitted(row, RECEIPT), {State.UNKNOWN}),
    "cancelled": (lambda book, row: book.cancelled(row), {State.SUBMITTED, State.CANCELLED}),
    "finished": (
        lambda book, row: book.finished(row, OUTPUT),
        {State.SUBMITTED, State.CANCELLED, State.FINISHED, State.KEPT},
    ),
    "kept": (lambda book, row: book.kept(row, FILE), {State.FINISHED}),
    "failed": (lambda book, row: book.failed(row, "no", billed=False), set(State)),
}
WAYS = {
    State.INTENDED: (),
    State.UNKNOWN: ("posting",),
    State.SUBMITTED: ("posting", "submitted"),
    State.CANCELLED: ("posting", "submitted", "cancelled"),
    State.FINISHED: ("posting", "submitted", "finished"),
    State.KEPT: ("posting", "submitted", "finished", "kept"),
    State.FAILED: ("failed",),
}


class Clock:
    """Local time, set by hand."""

    def __init__(self, *moment: int) -> None:
        self.set(*moment)

    def set(self, *moment: int) -> None:
        self.now = datetime(*moment).timestamp()

    def __call__(self) -> float:
        return self.now


def shot(number: int = 0, *, seed: int = 0) -> Request:
    return Request((Still(b"", "image/png", 64, 64, "ab" * 32),), f"shot {number}", seed)


def brought_to(state: State, book: Ledger, request: Request | None = None) -> Entry:
    row = book.intend(request or shot(), FREE)
    for move in WAYS[state]:
        row = MOVES[move][0](book, row)
    return row


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def all_at_once(count: int, script: str, home: Path) -> list[str]:
    """What each of `count` processes prints that ran the script at the same moment."""
    children = [start(script, home, number) for number in range(count)]
    for child in children:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = []
    for child in children:
        out, complaint = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == 0, complaint
        said.append(out.strip())
    return said


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def book(home):
    with Ledger.open(home) as ledger:
        yield ledger


# -- the way of a shot ---------------------------------------------------------------------------


def test_each_step_is_written_down_with_its_time(home):
    moments = iter(range(100, 900, 100))
    home.mkdir()
    with Ledger(home / LEDGER_FILE, now=lambda: next(moments)) as book:
        request = Request(shot().stills, "waves", 7, {"movement_amplitude": "large"})
        book.intend(request, FREE)
        row = book.live(request.fingerprint)
        for move in ("posting", "submitted", "cancelled", "finished", "kept"):
            row = MOVES[move][0](book, row)
    expected = Entry(
        id=1,
        fingerprint=request.fingerprint,
        endpoint="fal-ai/vidu/image-to-video",
        state=State.KEPT,
        prompt="waves",
        seed=7,
        options={"movement_amplitude": "large"},
        price_usd=PRICE,
        intended_at=100,
        arguments={"prompt": "waves"},
        posted_at=200,
        receipt=RECEIPT,
        submitted_at=300,
        cancelled_at=400,
        output=OUTPUT,
        finished_at=500,
        file=FILE,
        kept_at=600,
    )
    assert row == expected
    with Ledger.open(home) as again:
        assert again.live(request.fingerprint) == again.get(1) == expected
        assert again.entries() == [expected]
    assert row.request_id == "r-1"


@pytest.mark.parametrize("billed", [True, False, None])
def test_a_failure_is_written_down_with_its_reason_and_bill(book, billed):
    row = book.failed(brought_to(State.SUBMITTED, book), "As fal says.", billed=billed)
    assert (row.state, row.failure, row.billed) == (State.FAILED, "As fal says.", billed)
    assert row.failed_at is not None
    assert book.live(row.fingerprint) is None
    assert book.get(row.id) == row


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", MOVES)
def test_a_row_moves_only_along_the_picture(book, state, name):
    row = brought_to(state, book)
    move, legal = MOVES[name]
    if state in legal:
        assert move(book, row).state.value == {"posting": "unknown"}.get(name, name)
        return
    with pytest.raises(LedgerUnavailable, match=f"changed row {row.id} "):
        move(book, row)
    assert book.get(row.id) == row


@pytest.mark.parametrize("name", sorted(MOVES.keys() - {"finished"}))
def test_a_row_that_another_process_moved_is_not_moved_again(home, book, name):
    row = book.intend(shot(), FREE)
    for step in {"submitted": ("posting",), "cancelled": WAYS[State.SUBMITTED]}.get(name, ()):
        row = MOVES[step][0](book, row)
    if name == "kept":
        row = brought_to(State.FINISHED, book, shot(1))
    with Ledger.open(home) as other:
        other.failed(other.get(row.id), "faster", billed=False)
    with pytest.raises(LedgerUnavailable, match="Another process"):
        MOVES[name][0](book, row)
    assert book.get(row.id).failure == "faster"


def test_a_row_that_is_gone_is_not_moved(book):
    row = brought_to(State.SUBMITTED, book)
    book.forget(row)
    assert book.get(row.id) is None
    with pytest.raises(LedgerUnavailable):
        book.finished(row, OUTPUT)


def test_a_clip_with_a_new_address_is_finished_anew_at_its_old_time(book):
    row = brought_to(State.FINISHED, book)
    again = book.finished(row, Output("https://x/2.mp4"))
    assert again.output == Output("https://x/2.mp4")
    assert again.finished_at == row.finished_at


def test_a_kept_row_gone_back_keeps_where_its_file_was(book):
    row = brought_to(State.KEPT, book)
    again = book.finished(row, row.output)
    assert again == replace(row, state=State.FINISHED)


# -- one live row --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_a_shot_with_a_live_row_is_not_intended_again(book, state):
    row = brought_to(state, book)
    assert book.intend(shot(), FREE) == row
    assert book.entries() == [row]


def test_a_shot_that_failed_is_intended_anew(book):
    first = brought_to(State.FAILED, book)
    second = book.intend(shot(), FREE)
    assert second.id > first.id
    assert book.live(second.fingerprint) == second
    assert book.entries() == [second, first]


def test_no_program_can_write_a_second_live_row(book, home):
    row = brought_to(State.SUBMITTED, book)
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        columns = "fingerprint, endpoint, prompt, seed, options, price_micro_usd, intended_at"
        for state, outcome in [
            ("intended", pytest.raises(sqlite3.IntegrityError, match="UNIQUE")),
            ("failed", contextlib.nullcontext()),
        ]:
            with outcome:
                db.execute(
                    f"INSERT INTO shots (state, {columns}) "
                    f"SELECT ?, {columns} FROM shots WHERE id = ?",
                    (state, row.id),
                )


def test_many_threads_write_one_row(book):
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda _: book.intend(shot(), FREE), range(64)))
    assert {row.id for row in rows} == {rows[0].id}


def test_only_one_of_many_threads_may_post(book):
    row = book.intend(shot(), FREE)

    def post(_: int) -> bool:
        try:
            book.posting(row, {})
        except LedgerUnavailable:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(post, range(32))) == 1


def test_eight_processes_open_new_ledgers_and_write_one_row_each(home):
    script = """
for number in range(8):
    with Ledger.open(home / str(number)) as book:
        row = book.intend(shot(0), Decimal(0))
        try:
            book.posting(row, {})
            print(f"posts {number},", end="")
        except LedgerUnavailable:
            pass
"""
    said = "".join(all_at_once(8, script, home))
    assert sorted(said.split(",")) == ["", *(f"posts {number}" for number in range(8))]
    for number in range(8):
        with Ledger.open(home / str(number)) as book:
            assert [row.id for row in book.entries()] == [1]


# -- the budget ----------------------------------------------------------------------------------


def test_the_budget_holds_to_the_cent(book):
    for number in range(3):
        book.intend(shot(number), Decimal("0.60"))
    with pytest.raises(BudgetExceeded) as refused:
        book.intend(shot(3), Decimal("0.79"))
    text = str(refused.value)
    assert "$0.20" in text
    assert "$0.60 of today's $0.79" in text
    assert "VIDU_DAILY_BUDGET_USD" in text
    assert "Nothing was charged." in text
    assert book.live(shot(3).fingerprint) is None
    book.intend(shot(3), Decimal("0.80"))


def test_a_budget_of_0_is_no_limit(book):
    for number in range(20):
        book.intend(shot(number), FREE)
    assert book.spent_today() == Decimal("4.00")


def test_a_shot_that_has_its_row_needs_no_budget(book):
    row = brought_to(State.KEPT, book)
    assert book.intend(shot(), Decimal("0.01")) == row


def test_threads_do_not_overdraw(book):
    def intend(number: int) -> bool:
        try:
            book.intend(shot(number), Decimal("1.10"))
        except BudgetExceeded:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(intend, range(40))) == 5
    assert book.spent_today() == Decimal("1.00")


def test_processes_do_not_overdraw(home):
    script = """
taken = 0
with Ledger.open(home) as book:
    for number in range(5):
        try:
            book.intend(shot(f"{sys.argv[2]} {number}"), Decimal("2.00"))
            taken += 1
        except BudgetExceeded:
            pass
print(taken)
"""
    said = all_at_once(8, script, home)
    assert sum(map(int, said)) == 10
    with Ledger.open(home) as book:
        assert len(book.entries()) == 10
        assert book.spent_today() == Decimal("2.00")


# -- sums ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_work_in_flight_counts_as_spent(book, state):
    brought_to(state, book)
    assert book.spent_today() == book.spent_this_month() == PRICE


@pytest.mark.parametrize(("billed", "spent"), [(False, FREE), (True, PRICE), (None, PRICE)])
def test_a_failed_row_counts_unless_it_is_known_to_be_free(book, billed, spent):
    book.failed(brought_to(State.SUBMITTED, book), "no", billed=billed)
    assert book.spent_today() == spent


def test_an_empty_ledger_has_spent_nothing(book):
    assert book.spent_today() == book.spent_this_month() == 0


def test_a_day_begins_at_local_midnight_and_a_month_on_its_first(tmp_path):
    clock = Clock(2026, 2, 27, 12)
    with Ledger(tmp_path / LEDGER_FILE, now=clock) as book:
        for number, moment in enumerate(
            [(2026, 2, 28, 23, 59, 59), (2026, 3, 1), (2026, 3, 1, 0, 0, 1), (2026, 3, 2)]
        ):
            clock.set(*moment)
            book.posting(book.intend(shot(number), FREE), {})
        assert (book.spent_today(), book.spent_this_month()) == (PRICE, 3 * PRICE)
        clock.set(2026, 3, 1, 23, 59, 59)
        assert book.spent_today() == 3 * PRICE
        clock.set(2026, 2, 28)
        assert book.spent_this_month() == 4 * PRICE
        clock.set(2026, 4, 1)
        assert (book.spent_today(), book.spent_this_month()) == (FREE, FREE)


def test_the_budget_is_fresh_at_midnight(tmp_path):
    clock = Clock(2026, 2, 28, 23, 59, 59)
    with Ledger(tmp_path / LEDGER_FILE, now=clock) as book:
        book.intend(shot(0), PRICE)
        with pytest.raises(BudgetExceeded):
            book.intend(shot(1), PRICE)
        clock.set(2026, 3, 1)
        book.intend(shot(1), PRICE)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no tzset")
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"])
def test_days_on_which_clocks_change_are_whole_days(tmp_path, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        for day in [(2026, 3, 8), (2026, 3, 29), (2026, 10, 25), (2026, 11, 1)]:
            clock = Clock(*day)
            path = tmp_path / f"{day}.sqlite"
            with Ledger(path, now=clock) as book:
                book.posting(book.intend(shot(0), FREE), {})
                clock.now -= 1
                book.posting(book.intend(shot(1), FREE), {})
                clock.set(*day, 23, 59, 59)
                assert book.spent_today() == PRICE
    finally:
        monkeypatch.undo()
        time.tzset()


# -- reading -------------------------------------------------------------------------------------


def test_rows_are_listed_newest_first_a_page_at_a_time(book):
    ids = [book.intend(shot(number), FREE).id for number in range(7)]
    assert [row.id for row in book.entries()] == ids[::-1]
    assert [row.id for row in book.entries(limit=3)] == ids[:3:-1]
    assert [row.id for row in book.entries(limit=3, offset=6)] == ids[:1]
    assert book.entries(limit=3, offset=7) == []


def test_unfinished_is_what_fal_may_owe_a_clip_for(book):
    rows = [brought_to(state, book, shot(number)) for number, state in enumerate(State)]
    owed = {State.UNKNOWN, State.SUBMITTED, State.CANCELLED, State.FINISHED}
    assert book.unfinished() == [row for row in rows if row.state in owed]


def test_a_row_is_found_by_its_id_its_request_or_its_fingerprint(book):
    rows = [brought_to(State.SUBMITTED, book, shot(number)) for number in range(3)]
    for row in rows:
        assert book.find(str(row.id)) == [row]
        assert book.find(row.fingerprint) == book.find(row.fingerprint[:8]) == [row]
    assert book.find("r-1") == rows


@pytest.mark.parametrize(
    "name", ["", "*", "********", "........", "????????", "%%%%%%%%", "________", "[0-9a-f]", "-1"]
)
def test_nothing_is_found_by_a_pattern(book, name):
    """What is found may be forgotten, and what is forgotten is paid for again."""
    brought_to(State.SUBMITTED, book)
    assert book.find(name) == []


@pytest.mark.parametrize("length", range(1, 8))
def test_a_few_digits_of_a_fingerprint_are_not_enough(book, length):
    row = brought_to(State.SUBMITTED, book, shot(11))
    assert book.find(row.fingerprint[:length]) == []


def test_the_command_to_forget_a_row_names_it_and_its_home(book, home):
    row = brought_to(State.UNKNOWN, book)
    command = book.forget_command(row)
    assert f"forget {row.id}" in command
    assert str(home) in command


def test_what_is_forgotten_may_be_intended_anew_under_a_new_id(book):
    row = brought_to(State.KEPT, book)
    book.forget(row)
    assert book.live(row.fingerprint) is None
    assert book.intend(shot(), FREE).id > row.id


# -- turns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "text", "memory"])
async def test_one_run_of_a_shot_at_a_time(tmp_path, place):
    path = {"file": tmp_path / "a", "text": str(tmp_path / "b"), "memory": ":memory:"}[place]
    inside = 0
    with Ledger(path) as book:

        async def visit() -> None:
            nonlocal inside
            async with book.turn("ab" * 32, lambda: None):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0.01)
                inside -= 1

        await asyncio.gather(*(visit() for _ in range(4)))
        async with book.turn("ab" * 32, lambda: None), book.turn("cd" * 32, lambda: None):
            pass


@pytest.mark.parametrize("error", [FileNotFoundError("x"), TimeoutError(), sqlite3.Error("x")])
async def test_what_fails_inside_a_turn_is_not_the_ledgers_fault(book, error):
    with pytest.raises(type(error)) as raised:
        async with book.turn("ab" * 32, lambda: None):
            raise error
    assert raised.value is error


async def test_a_turn_that_can_not_be_written_is_the_ledgers_fault(book, home):
    (home / "turns").write_text("no folder")
    with pytest.raises(LedgerUnavailable, match="can not be used"):
        async with book.turn("ab" * 32, lambda: None):
            pass


# -- versions ------------------------------------------------------------------------------------


def as_version_1(home: Path) -> list[Entry]:
    """Make a ledger as version 1 made it, with a row in each state; return what it holds."""
    with Ledger.open(home / "newest") as book:
        rows = [brought_to(state, book, shot(number)) for number, state in enumerate(State)]
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        db.executescript(MIGRATIONS[0])
        db.execute("PRAGMA user_version = 1")
        db.execute("ATTACH ? AS newest", (str(home / "newest" / LEDGER_FILE),))
        names = ", ".join(column[1] for column in db.execute("PRAGMA table_info(shots)"))
        db.execute(f"INSERT INTO shots SELECT {names} FROM newest.shots")
        db.commit()
    return rows


def version(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_a_ledger_of_version_1_is_brought_to_the_newest(home):
    rows = as_version_1(home)
    assert version(home) == 1
    with Ledger.open(home) as book:
        assert book.entries() == rows[::-1]
        assert book.intend(shot(0), FREE) == rows[0]
    assert version(home) == len(MIGRATIONS)
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        made = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    with (
        Ledger.open(home / "new"),
        contextlib.closing(sqlite3.connect(home / "new" / LEDGER_FILE)) as db,
    ):
        assert db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall() == made


def test_eight_processes_bring_it_there_at_once(home):
    rows = as_version_1(home)
    script = "with Ledger.open(home) as book: print(len(book.entries()))"
    assert all_at_once(8, script, home) == [str(len(rows))] * 8
    assert version(home) == len(MIGRATIONS)


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(home, book):
    brought_to(State.KEPT, book)
    book.close()
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (home / LEDGER_FILE).read_bytes()
    with pytest.raises(LedgerUnavailable, match="newer version of this pack"):
        Ledger.open(home)
    assert (home / LEDGER_FILE).read_bytes() == before
    assert not list(home.glob("*damaged*"))


# -- one book, many users ------------------------------------------------------------------------


def test_each_sees_at_once_what_another_wrote(home, book):
    row = book.intend(shot(), FREE)
    with Ledger.open(home) as other:
        moved = other.posting(row, {"prompt": "waves"})
        assert book.get(row.id) == moved
        assert other.submitted(book.get(row.id), RECEIPT) == book.live(row.fingerprint)


def test_one_object_serves_many_threads(book):
    barrier = threading.Barrier(8)

    def make(worker: int) -> list[Entry]:
        barrier.wait()
        return [brought_to(State.KEPT, book, shot(number, seed=worker)) for number in range(6)]

    with ThreadPoolExecutor(8) as pool:
        rows = [row for made in pool.map(make, range(8)) for row in made]
    assert sorted(rows, key=lambda row: -row.id) == book.entries()
    assert {row.state for row in rows} == {State.KEPT}


def test_a_ledger_in_memory_ends_with_its_object():
    with Ledger(":memory:") as book:
        brought_to(State.KEPT, book)
        assert len(book.entries()) == 1
    with Ledger(":memory:") as book:
        assert book.entries() == []
    assert not Path(":memory:").exists()


def test_a_closed_ledger_says_so_in_words(home):
    book = Ledger.open(home)
    book.close()
    with pytest.raises(LedgerUnavailable, match="closed"):
        book.intend(shot(), FREE)


def test_the_folder_is_made_with_the_ledger(tmp_path):
    Ledger.open(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / LEDGER_FILE).exists()
