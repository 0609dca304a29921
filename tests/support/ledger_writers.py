"""Processes that write a ledger file, and a file that is full of rows."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

from blocking_ledger import BlockingLedger as Ledger

from vidu.ledger import Budget
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import RequestHandle

from .ledger_rows import CHILD_IMPORTS, FREE, shot

ROWS = 200


def handle(number: int) -> RequestHandle:
    return RequestHandle(f"r-{number}", "https://q/s", "https://q/r", "https://q/c")


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-c", CHILD_IMPORTS + script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def filled(home: Path) -> Path:
    """A ledger of many pages, each row SUBMITTED, all of it in its one file."""
    with Ledger.open(home) as ledger:
        for number in range(ROWS):
            row = ledger.mark_submitting(
                ledger.reserve(shot(number), Budget(FREE)), {"prompt": "waves " * 60}
            )
            ledger.mark_submitted(row, handle(number))
    path = home / LEDGER_FILE
    assert [each.name for each in home.glob(f"{LEDGER_FILE}-*")] == []
    return path


def set_aside(home: Path) -> list[Path]:
    found = sorted(home.glob(f"{LEDGER_FILE}.damaged-*"))
    return [path for path in found if not path.name.endswith(("-wal", "-shm"))]


def assert_whole(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
