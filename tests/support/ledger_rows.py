"""Rows in each state, and processes that write to one ledger at the same moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.ledger import Budget
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60  # for what must come, however slow the machine; nothing here is measured
FREE = Decimal(0)
PRICE = Decimal("0.20")

FILE_ONLY = pytest.mark.parametrize("home", ["sqlite"], indirect=True)
"""For what only a file has: a clock given by hand, a version, a folder."""

OUTPUT = Output("https://x/1.mp4", 1234, 1.0, "video", 2**31 - 1)
FILE = SavedFile(Path("clips/Vidu_00001_.mp4"), 1234, "cd" * 32, 1280, 720, 24.0, 96, 4.0)

CHILD_IMPORTS = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests" / "support")!r}]
from decimal import Decimal
from pathlib import Path
from vidu.errors import BudgetExceededError, LedgerUnavailableError
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from blocking_ledger import BlockingLedger as Ledger
from vidu.ledger import Budget
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import RequestHandle
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
"""What the script of each child begins with."""

CHILD = f"""{CHILD_IMPORTS}
print("ready", flush=True)
sys.stdin.readline()
"""

MOVES: dict[str, tuple[Callable[[Ledger, Entry], Entry], set[State]]] = {
    "mark_submitting": (
        lambda ledger, row: ledger.mark_submitting(row, {"prompt": "waves"}),
        {State.RESERVED},
    ),
    "submitted": (lambda ledger, row: ledger.mark_submitted(row, handle(row)), {State.SUBMITTING}),
    "cancelled": (
        lambda ledger, row: ledger.mark_cancelled(row),
        {State.SUBMITTED, State.CANCELLED},
    ),
    "finished": (
        lambda ledger, row: ledger.mark_finished(row, OUTPUT),
        {State.SUBMITTED, State.CANCELLED, State.FINISHED, State.SAVED},
    ),
    "saved": (lambda ledger, row: ledger.mark_saved(row, FILE), {State.FINISHED}),
    "failed": (lambda ledger, row: ledger.mark_failed(row, "no", billed=False), set(State)),
}
WAYS = {
    State.RESERVED: (),
    State.SUBMITTING: ("mark_submitting",),
    State.SUBMITTED: ("mark_submitting", "submitted"),
    State.CANCELLED: ("mark_submitting", "submitted", "cancelled"),
    State.FINISHED: ("mark_submitting", "submitted", "finished"),
    State.SAVED: ("mark_submitting", "submitted", "finished", "saved"),
    State.FAILED: ("failed",),
}


class Clock:
    """A clock that is set by hand, in UTC."""

    def __init__(self, *moment: int) -> None:
        self.set(*moment)

    def set(self, *moment: int) -> None:
        self.now = datetime(*moment, tzinfo=timezone.utc).timestamp()

    def __call__(self) -> float:
        return self.now


def handle(row: Entry) -> RequestHandle:
    url = f"https://q/r-{row.id}"
    return RequestHandle(f"r-{row.id}", f"{url}/status", url, f"{url}/cancel")


STILL = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)


def shot(number: int = 0, *, seed: int = 0) -> Request:
    return Request(VIDU_IMAGE_TO_VIDEO, f"shot {number}", seed, media={"image": (STILL,)})


def reserve_in_state(state: State, ledger: Ledger, request: Request | None = None) -> Entry:
    row = ledger.reserve(request or shot(), Budget(FREE))
    for move in WAYS[state]:
        row = MOVES[move][0](ledger, row)
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
        out, complaint = child.communicate(timeout=TIMEOUT_S)
        assert child.returncode == 0, complaint
        said.append(out.strip())
    return said
