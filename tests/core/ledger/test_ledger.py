"""The ledger on real files, threads and processes; test_ledger_trouble.py takes those away."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import BudgetExceededError, LedgerUnavailableError
from vidu.ledger import Budget, open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.ledger.schema import VERSION
from vidu.ledger.sqlite import SqliteDatabase
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60  # for what must come, however slow the machine; nothing here is measured
FREE = Decimal(0)
PRICE = Decimal("0.20")

FILE_ONLY = pytest.mark.parametrize("home", ["sqlite"], indirect=True)
"""For what only a file has: a clock given by hand, a version, a folder."""

SLOW_COMMIT_S = 2.0

OUTPUT = Output("https://x/1.mp4", 1234, 1.0, "video", 2**31 - 1)
FILE = SavedFile(Path("clips/Vidu_00001_.mp4"), 1234, "cd" * 32, 1280, 720, 24.0, 96, 4.0)

CHILD = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "support")!r}]
from decimal import Decimal
from pathlib import Path
from vidu.errors import BudgetExceededError, LedgerUnavailableError
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from blocking_ledger import BlockingLedger as Ledger
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
print("ready", flush=True)
sys.stdin.readline()
"""

MOVES: dict[str, tuple[Callable[[Ledger, Entry], Entry], set[State]]] = {
    "mark_submitting": (
        lambda book, row: book.mark_submitting(row, {"prompt": "waves"}),
        {State.RESERVED},
    ),
    "submitted": (lambda book, row: book.mark_submitted(row, handle(row)), {State.SUBMITTING}),
    "cancelled": (lambda book, row: book.mark_cancelled(row), {State.SUBMITTED, State.CANCELLED}),
    "finished": (
        lambda book, row: book.mark_finished(row, OUTPUT),
        {State.SUBMITTED, State.CANCELLED, State.FINISHED, State.SAVED},
    ),
    "saved": (lambda book, row: book.mark_saved(row, FILE), {State.FINISHED}),
    "failed": (lambda book, row: book.mark_failed(row, "no", billed=False), set(State)),
}
MADE_ALREADY = {("submitted", State.SUBMITTED), ("saved", State.SAVED)}
WAYS = {
    State.RESERVED: (),
    State.SUBMITTING: ("mark_submitting",),
    State.SUBMITTED: ("mark_submitting", "submitted"),
    State.CANCELLED: ("mark_submitting", "submitted", "cancelled"),
    State.FINISHED: ("mark_submitting", "submitted", "finished"),
    State.SAVED: ("mark_submitting", "submitted", "finished", "saved"),
    State.FAILED: ("failed",),
}


def handle(row: Entry) -> RequestHandle:
    url = f"https://q/r-{row.id}"
    return RequestHandle(f"r-{row.id}", f"{url}/status", url, f"{url}/cancel")


class Clock:
    """A clock that is set by hand, in UTC."""

    def __init__(self, *moment: int) -> None:
        self.set(*moment)

    def set(self, *moment: int) -> None:
        self.now = datetime(*moment, tzinfo=timezone.utc).timestamp()

    def __call__(self) -> float:
        return self.now


STILL = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)


def shot(number: int = 0, *, seed: int = 0) -> Request:
    return Request(VIDU_IMAGE_TO_VIDEO, f"shot {number}", seed, media={"image": (STILL,)})


def copy_into(state: State, book: Ledger, request: Request | None = None) -> Entry:
    row = book.reserve(request or shot(), Budget(FREE))
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
def book(home):
    with Ledger.open(home) as ledger:
        yield ledger


# -- the way of a shot ---------------------------------------------------------------------------


@FILE_ONLY
def test_each_step_is_written_down_with_its_time(home):
    moments = iter(range(100, 900, 100))
    home.mkdir()
    with Ledger(home, now=lambda: next(moments)) as book:
        request = Request(
            VIDU_IMAGE_TO_VIDEO, "waves", 7, {"movement_amplitude": "large"}, {"image": (STILL,)}
        )
        book.reserve(request, Budget(FREE))
        row = book.active(request.fingerprint)
        for move in ("mark_submitting", "submitted", "cancelled", "finished", "saved"):
            row = MOVES[move][0](book, row)
    expected = Entry(
        id=1,
        fingerprint=request.fingerprint,
        endpoint="fal-ai/vidu/image-to-video",
        state=State.SAVED,
        prompt="waves",
        seed=7,
        options={"movement_amplitude": "large"},
        price_usd=PRICE,
        reserved_at=100,
        arguments={"prompt": "waves"},
        submitting_at=200,
        handle=handle(row),
        submitted_at=300,
        cancelled_at=400,
        output=OUTPUT,
        finished_at=500,
        file=FILE,
        saved_at=600,
        host=socket.gethostname(),
        revision=5,
    )
    assert row == expected
    with Ledger.open(home) as again:
        assert again.active(request.fingerprint) == again.get(1) == expected
        assert again.entries() == [expected]
    assert row.request_id == "r-1"


@pytest.mark.parametrize("billed", [True, False, None])
def test_a_failure_is_written_down_with_its_reason_and_bill(book, billed):
    row = book.mark_failed(copy_into(State.SUBMITTED, book), "As fal says.", billed=billed)
    assert (row.state, row.failure, row.billed) == (State.FAILED, "As fal says.", billed)
    assert row.failed_at is not None
    assert book.active(row.fingerprint) is None
    assert book.get(row.id) == row


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", MOVES)
def test_a_row_moves_only_along_the_picture(book, state, name):
    row = copy_into(state, book)
    move, legal = MOVES[name]
    if (name, state) in MADE_ALREADY:  # its answer may have been lost: it is not made twice
        assert move(book, row) == row
        return
    if state in legal:
        assert move(book, row).state.value == {"mark_submitting": "submitting"}.get(name, name)
        return
    with pytest.raises(LedgerUnavailableError, match=f"changed row {row.id} "):
        move(book, row)
    assert book.get(row.id) == row


@pytest.mark.parametrize("name", sorted(MOVES.keys() - {"finished"}))
def test_a_row_that_another_process_moved_is_not_moved_again(home, book, name):
    row = book.reserve(shot(), Budget(FREE))
    for step in {"submitted": ("mark_submitting",), "cancelled": WAYS[State.SUBMITTED]}.get(
        name, ()
    ):
        row = MOVES[step][0](book, row)
    if name == "saved":
        row = copy_into(State.FINISHED, book, shot(1))
    with Ledger.open(home) as other:
        other.mark_failed(other.get(row.id), "faster", billed=False)
    with pytest.raises(LedgerUnavailableError, match="Another process"):
        MOVES[name][0](book, row)
    assert book.get(row.id).failure == "faster"


def test_a_row_that_is_gone_is_not_moved(book):
    row = copy_into(State.SUBMITTED, book)
    book.delete(row)
    assert book.get(row.id) is None
    with pytest.raises(LedgerUnavailableError):
        book.mark_finished(row, OUTPUT)


def test_a_clip_with_a_new_address_is_finished_anew_at_its_old_time(book):
    row = copy_into(State.FINISHED, book)
    again = book.mark_finished(row, Output("https://x/2.mp4"))
    assert again.output == Output("https://x/2.mp4")
    assert again.finished_at == row.finished_at


def test_a_kept_row_gone_back_keeps_where_its_file_was(book):
    row = copy_into(State.SAVED, book)
    again = book.mark_finished(row, row.output)
    assert again == replace(row, state=State.FINISHED, revision=row.revision + 1)


# -- one live row --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_a_shot_with_a_live_row_is_not_intended_again(book, state):
    row = copy_into(state, book)
    assert book.reserve(shot(), Budget(FREE)) == row
    assert book.entries() == [row]


def test_a_shot_that_failed_is_intended_anew(book):
    first = copy_into(State.FAILED, book)
    second = book.reserve(shot(), Budget(FREE))
    assert second.id > first.id
    assert book.active(second.fingerprint) == second
    assert book.entries() == [second, first]


@FILE_ONLY
def test_no_program_can_write_a_second_live_row(book, home):
    row = copy_into(State.SUBMITTED, book)
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        columns = (
            "fingerprint, endpoint, prompt, search_text, seed, options, price_micro_usd, "
            "reserved_at, revision"
        )
        for state, outcome in [
            ("reserved", pytest.raises(sqlite3.IntegrityError, match="UNIQUE")),
            ("failed", contextlib.nullcontext()),
        ]:
            with outcome:
                db.execute(
                    f"INSERT INTO entries (state, {columns}) "
                    f"SELECT ?, {columns} FROM entries WHERE id = ?",
                    (state, row.id),
                )


def test_many_threads_write_one_row(book):
    with ThreadPoolExecutor(16) as pool:
        rows = list(pool.map(lambda _: book.reserve(shot(), Budget(FREE)), range(64)))
    assert {row.id for row in rows} == {rows[0].id}


def test_only_one_of_many_threads_may_post(book):
    row = book.reserve(shot(), Budget(FREE))

    def post(_: int) -> bool:
        try:
            book.mark_submitting(row, {})
        except LedgerUnavailableError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(post, range(32))) == 1


@FILE_ONLY
def test_eight_processes_open_new_ledgers_and_write_one_row_each(home):
    script = """
for number in range(8):
    with Ledger.open(home / str(number)) as book:
        row = book.reserve(shot(number), Budget(Decimal(0)))
        try:
            book.mark_submitting(row, {})
            print(f"posts {number},", end="")
        except LedgerUnavailableError:
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
        book.reserve(shot(number), Budget(Decimal("0.60")))
    with pytest.raises(BudgetExceededError) as refused:
        book.reserve(shot(3), Budget(Decimal("0.79")))
    text = str(refused.value)
    assert "$0.20" in text
    assert "$0.60 of today's $0.79" in text
    assert "VIDU_DAILY_BUDGET_USD" in text
    assert "Nothing was charged." in text
    assert book.active(shot(3).fingerprint) is None
    book.reserve(shot(3), Budget(Decimal("0.80")))


def test_a_budget_of_0_is_no_limit(book):
    for number in range(20):
        book.reserve(shot(number), Budget(FREE))
    assert book.spent_today() == Decimal("4.00")


def test_a_shot_that_has_its_row_needs_no_budget(book):
    row = copy_into(State.SAVED, book)
    assert book.reserve(shot(), Budget(Decimal("0.01"))) == row


def test_threads_do_not_overdraw(book):
    def intend(number: int) -> bool:
        try:
            book.reserve(shot(number), Budget(Decimal("1.10")))
        except BudgetExceededError:
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
            book.reserve(shot(f"{sys.argv[2]} {number}"), Budget(Decimal("2.00")))
            taken += 1
        except BudgetExceededError:
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
    copy_into(state, book)
    assert book.spent_today() == book.spent_this_month() == PRICE


@pytest.mark.parametrize(("billed", "spent"), [(False, FREE), (True, PRICE), (None, PRICE)])
def test_a_failed_row_counts_unless_it_is_known_to_be_free(book, billed, spent):
    book.mark_failed(copy_into(State.SUBMITTED, book), "no", billed=billed)
    assert book.spent_today() == spent


def test_an_empty_ledger_has_spent_nothing(book):
    assert book.spent_today() == book.spent_this_month() == 0


def test_a_day_begins_at_midnight_utc_and_a_month_on_its_first(tmp_path):
    clock = Clock(2026, 2, 27, 12)
    with Ledger(tmp_path, now=clock) as book:
        for number, moment in enumerate(
            [(2026, 2, 28, 23, 59, 59), (2026, 3, 1), (2026, 3, 1, 0, 0, 1), (2026, 3, 2)]
        ):
            clock.set(*moment)
            book.mark_submitting(book.reserve(shot(number), Budget(FREE)), {})
        assert (book.spent_today(), book.spent_this_month()) == (PRICE, 3 * PRICE)
        clock.set(2026, 3, 1, 23, 59, 59)
        assert book.spent_today() == 3 * PRICE
        clock.set(2026, 2, 28)
        assert book.spent_this_month() == 4 * PRICE
        clock.set(2026, 4, 1)
        assert (book.spent_today(), book.spent_this_month()) == (FREE, FREE)


def test_the_budget_is_fresh_at_midnight(tmp_path):
    clock = Clock(2026, 2, 28, 23, 59, 59)
    with Ledger(tmp_path, now=clock) as book:
        book.reserve(shot(0), Budget(PRICE))
        with pytest.raises(BudgetExceededError):
            book.reserve(shot(1), Budget(PRICE))
        clock.set(2026, 3, 1)
        book.reserve(shot(1), Budget(PRICE))


@FILE_ONLY
@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system has no tzset")
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "UTC"])
def test_a_day_is_the_same_in_every_time_zone(home, monkeypatch, zone):
    clock = Clock(2026, 3, 8)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with Ledger(home, now=clock) as book:
            book.mark_submitting(book.reserve(shot(0), Budget()), {})
            clock.now -= 1
            book.mark_submitting(book.reserve(shot(1), Budget()), {})
            clock.set(2026, 3, 8, 23, 59, 59)
            assert book.spent_today() == PRICE
    finally:
        monkeypatch.undo()
        time.tzset()


# -- reading -------------------------------------------------------------------------------------


def test_rows_are_listed_newest_first_a_page_at_a_time(book):
    ids = [book.reserve(shot(number), Budget(FREE)).id for number in range(7)]
    assert [row.id for row in book.entries()] == ids[::-1]
    assert [row.id for row in book.entries(limit=3)] == ids[:3:-1]
    assert [row.id for row in book.entries(limit=3, offset=6)] == ids[:1]
    assert book.entries(limit=3, offset=7) == []


def test_unfinished_is_what_fal_may_owe_a_clip_for(book):
    rows = [copy_into(state, book, shot(number)) for number, state in enumerate(State)]
    owed = {State.SUBMITTING, State.SUBMITTED, State.CANCELLED, State.FINISHED}
    assert book.unfinished() == [row for row in rows if row.state in owed]


def test_a_row_is_found_by_its_id_its_request_or_its_fingerprint(book):
    rows = [copy_into(State.SUBMITTED, book, shot(number)) for number in range(3)]
    for row in rows:
        assert book.get_by_prefix(str(row.id)) == [row]
        assert (
            book.get_by_prefix(row.fingerprint) == book.get_by_prefix(row.fingerprint[:8]) == [row]
        )
    assert book.get_by_prefix(rows[0].request_id) == [rows[0]]


@pytest.mark.parametrize(
    "name", ["", "*", "********", "........", "????????", "%%%%%%%%", "________", "[0-9a-f]", "-1"]
)
def test_nothing_is_found_by_a_pattern(book, name):
    """What is found may be forgotten, and what is forgotten is paid for again."""
    copy_into(State.SUBMITTED, book)
    assert book.get_by_prefix(name) == []


@pytest.mark.parametrize("length", range(1, 8))
def test_a_few_digits_of_a_fingerprint_are_not_enough(book, length):
    row = copy_into(State.SUBMITTED, book, shot(11))
    assert book.get_by_prefix(row.fingerprint[:length]) == []


@FILE_ONLY
def test_the_command_to_forget_a_row_names_it_and_its_home(book, home):
    row = copy_into(State.SUBMITTING, book)
    command = book.delete_command(row)
    assert f"forget {row.id}" in command
    assert str(home) in command


def test_what_is_forgotten_may_be_intended_anew_under_a_new_id(book):
    row = copy_into(State.SAVED, book)
    book.delete(row)
    assert book.active(row.fingerprint) is None
    assert book.reserve(shot(), Budget(FREE)).id > row.id


# -- turns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "memory"])
async def test_one_run_of_a_shot_at_a_time(tmp_path, place):
    inside = 0
    async with open_ledger({"file": tmp_path, "memory": None}[place]) as book:

        async def visit() -> None:
            nonlocal inside
            async with book.lock_shot("ab" * 32, lambda _: None):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0.01)
                inside -= 1

        await asyncio.gather(*(visit() for _ in range(4)))
        async with (
            book.lock_shot("ab" * 32, lambda _: None),
            book.lock_shot("cd" * 32, lambda _: None),
        ):
            pass


@pytest.mark.parametrize("error", [FileNotFoundError("x"), TimeoutError(), sqlite3.Error("x")])
async def test_what_fails_inside_a_turn_is_not_the_ledgers_fault(book, error):
    with pytest.raises(type(error)) as raised:
        async with book.lock_shot("ab" * 32, lambda _: None):
            raise error
    assert raised.value is error


@FILE_ONLY
async def test_a_turn_that_can_not_be_written_is_the_ledgers_fault(book, vidu_home):
    (vidu_home / "locks").write_text("no folder")
    with pytest.raises(LedgerUnavailableError, match="cannot be used"):
        async with book.lock_shot("ab" * 32, lambda _: None):
            pass


# -- versions ------------------------------------------------------------------------------------


@FILE_ONLY
def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(home, book):
    copy_into(State.SAVED, book)
    book.close()
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (home / LEDGER_FILE).read_bytes()
    with pytest.raises(LedgerUnavailableError, match="newer version of this pack"):
        Ledger.open(home)
    assert (home / LEDGER_FILE).read_bytes() == before
    assert not list(home.glob("*damaged*"))


# -- one book, many users ------------------------------------------------------------------------


def test_each_sees_at_once_what_another_wrote(home, book):
    row = book.reserve(shot(), Budget(FREE))
    with Ledger.open(home) as other:
        moved = other.mark_submitting(row, {"prompt": "waves"})
        assert book.get(row.id) == moved
        assert other.mark_submitted(book.get(row.id), handle(row)) == book.active(row.fingerprint)


def test_one_object_serves_many_threads(book):
    barrier = threading.Barrier(8)

    def make(worker: int) -> list[Entry]:
        barrier.wait()
        return [copy_into(State.SAVED, book, shot(number, seed=worker)) for number in range(6)]

    with ThreadPoolExecutor(8) as pool:
        rows = [row for made in pool.map(make, range(8)) for row in made]
    assert sorted(rows, key=lambda row: -row.id) == book.entries()
    assert {row.state for row in rows} == {State.SAVED}


def test_a_ledger_in_memory_ends_with_its_object():
    with Ledger(None) as book:
        copy_into(State.SAVED, book)
        assert len(book.entries()) == 1
    with Ledger(None) as book:
        assert book.entries() == []
    assert not Path(":memory:").exists()


async def test_ledger_used_after_it_is_closed_says_so(home):
    async with open_ledger(home) as book:
        pass
    with pytest.raises(LedgerUnavailableError, match="closed"):
        await book.reserve(shot(), Budget())


def test_the_folder_is_made_with_the_ledger(tmp_path):
    Ledger.open(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / LEDGER_FILE).exists()


# -- off the event loop --------------------------------------------------------------------------


@FILE_ONLY
async def test_a_commit_of_two_seconds_does_not_hold_up_other_tasks(home, monkeypatch):
    """One slow disk must not stall the polls of sibling shots."""
    ticks = []

    async def poll() -> None:
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.02)

    async with open_ledger(home) as book:
        row = await book.reserve(shot(), Budget())
        monkeypatch.setattr(SqliteDatabase, "transaction", slowly(SqliteDatabase.transaction))
        polling = asyncio.create_task(poll())
        began = time.monotonic()
        await book.mark_submitting(row, {})
        polling.cancel()
    assert time.monotonic() - began >= SLOW_COMMIT_S
    gaps = [after - before for before, after in pairwise(ticks)]
    assert len(gaps) > 20
    assert max(gaps) < SLOW_COMMIT_S / 2


@FILE_ONLY
async def test_a_cancelled_write_is_waited_for_and_can_be_taken_back(home, monkeypatch):
    async with open_ledger(home) as book:
        row = await book.reserve(shot(), Budget())
        monkeypatch.setattr(SqliteDatabase, "transaction", slowly(SqliteDatabase.transaction))
        writing = asyncio.create_task(book.mark_submitting(row, {}))
        await asyncio.sleep(0.1)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert (await book.get(row.id)).state is State.SUBMITTING
        failed = await book.mark_unsent(row, "stopped")
        assert (failed.state, failed.billed) == (State.FAILED, False)
        assert await book.spent_today() == 0


def test_mark_unsent_row_that_another_process_submits_meanwhile_is_refused(home):
    with Ledger.open(home) as one, Ledger.open(home) as two:
        one.reserve(shot(), Budget())
        read = two.active(shot().fingerprint)
        posting = one.mark_submitting(read, {})
        with pytest.raises(LedgerUnavailableError, match="Another process"):
            two.mark_unsent(read, "its run ended before it was sent")
        assert one.active(shot().fingerprint) == posting
    with Ledger.open(home) as book:  # brings in what waits on this machine's disk
        assert book.active(shot().fingerprint) == posting
    (home / LEDGER_FILE).unlink(missing_ok=True)  # the journal of a file says the same
    with Ledger.open(home) as book:
        assert book.active(shot().fingerprint) == posting


def slowly(transaction: Any) -> Any:
    @contextlib.contextmanager
    def slow(*arguments: Any, **options: Any) -> Iterator[Any]:
        with transaction(*arguments, **options) as db:
            yield db
            time.sleep(SLOW_COMMIT_S)

    return slow


def test_row_reserved_before_midnight_and_sent_after_it_counts_in_the_new_day(tmp_path):
    clock = Clock(2026, 7, 15, 23, 59, 59)
    with Ledger(tmp_path, now=clock) as book:
        row = book.reserve(shot(0), Budget(PRICE))
        clock.set(2026, 7, 16, 0, 0, 1)
        book.mark_submitting(row, {})
        assert book.spent_today() == PRICE
        with pytest.raises(BudgetExceededError):
            book.reserve(shot(1), Budget(PRICE))
    with (
        Ledger(tmp_path / "another", now=clock) as another,
        pytest.raises(BudgetExceededError),
    ):
        another.reserve(shot(2), Budget(PRICE))


# -- the budget of one run -----------------------------------------------------------------------


def test_a_run_costs_no_more_than_its_own_budget_and_what_was_not_billed_comes_back(home):
    budget = Budget(run_usd=Decimal("0.40"))
    with Ledger.open(home) as book, Ledger.open(home) as other:
        first = book.reserve(shot(0), budget)
        book.reserve(shot(1), budget)
        with pytest.raises(BudgetExceededError, match=r"\$0.40 of this run's \$0.40"):
            book.reserve(shot(2), budget)
        assert book.reserve(shot(0), budget) == first
        other.reserve(shot(3), budget)  # another run
        book.mark_failed(first, "no", billed=False)
        book.reserve(shot(2), budget)


async def test_reserve_many_shots_of_a_run_at_once_never_exceeds_its_budget(home):
    async with open_ledger(home) as book:
        reserving = (book.reserve(shot(number), Budget(run_usd=PRICE)) for number in range(8))
        results = await asyncio.gather(*reserving, return_exceptions=True)
        assert [type(each) for each in results].count(BudgetExceededError) == 7
        assert await book.spent_today() == PRICE
