"""Processes that write a ledger file, and a file that is full of rows."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.ledger import Budget
from vidu.ledger.opening import LEDGER_FILE
from vidu.media.image import EncodedImage
from vidu.models import RequestHandle
from vidu.request import Request

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60  # for what must come, however slow the machine; nothing here is measured
FREE = Decimal(0)
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


def set_aside(home: Path) -> list[Path]:
    found = sorted(home.glob(f"{LEDGER_FILE}.damaged-*"))
    return [path for path in found if not path.name.endswith(("-wal", "-shm"))]


def assert_whole(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
