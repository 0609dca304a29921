"""The ledger, empty and with 100,000 clips in it: the median of each thing a shot asks of it.

Run `python -m benchmarks.ledger [--rows N] [--rounds N] [--detail]`. Writing is as slow as
the disk is sure: each row is on it before the call returns.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import median

from benchmarks._measure import table
from benchmarks._table import print_figure
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.ledger.ledger import LEDGER_FILE, Ledger
from vidu.library import search_entries
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile
from vidu.request import Request

AT_MOST_MS = {"claim ms": 5, "finish ms": 5, "library's first page ms": 50}
BUDGET = Decimal(1_000_000)
STILL = EncodedImage(b"", "image/png", 1280, 720, "ab" * 32)
PROMPT = "slow waves roll in over wet sand while the camera follows a gull to the horizon"

# Each with a fingerprint of its own, four minutes apart, the last one now.
COPIES = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
    INSERT INTO shots ({columns}, fingerprint, reserved_at)
    SELECT {columns}, lower(hex(randomblob(32))), reserved_at - 240 * n FROM shots, numbers
"""

numbers = count(1)


def claim(book: Ledger) -> Entry:
    return book.reserve(
        Request(VIDU_IMAGE_TO_VIDEO, f"{PROMPT} {next(numbers)}", media={"image": (STILL,)}), BUDGET
    )


def post(book: Ledger, row: Entry) -> Entry:
    name = f"{row.id:08}-04bd-463a-a98c-895502cfdce9"
    address = f"https://queue.fal.run/fal-ai/vidu/requests/{name}"
    row = book.mark_submitting(
        row, {"prompt": row.prompt, "image_url": f"https://v3b.fal.media/{name}"}
    )
    return book.mark_submitted(
        row, RequestHandle(name, f"{address}/status", address, f"{address}/cancel")
    )


def finish(book: Ledger, row: Entry, home: Path) -> Entry:
    row = book.mark_finished(
        row, Output(f"https://v3b.fal.media/{row.request_id}.mp4", 4_000_000, 1.0)
    )
    path = home / f"Vidu_{row.id:05}_.mp4"
    return book.mark_saved(row, SavedFile(path, 4_000_000, "cd" * 32, 1280, 720, 24.0, 96, 4.0))


def fill(home: Path, rows: int) -> None:
    with Ledger.open(home) as book:
        finish(book, post(book, claim(book)), home)
    with contextlib.closing(sqlite3.connect(home / LEDGER_FILE)) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(shots)")]
        rest = [name for name in names if name not in ("id", "fingerprint", "reserved_at")]
        db.execute(COPIES.format(columns=", ".join(rest)), (rows - 1,))
        db.commit()


def measure(home: Path, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {}

    def timed(what: str, work: Callable[[], object]) -> object:
        before = time.perf_counter()
        result = work()
        taken.setdefault(f"{what} ms", []).append((time.perf_counter() - before) * 1000)
        return result

    for _ in range(rounds):
        with timed("open", lambda: Ledger.open(home)) as book:
            row = timed("claim", lambda book=book: claim(book))
            row = timed("post", lambda book=book, row=row: post(book, row))
            row = timed("finish", lambda book=book, row=row: finish(book, row, home))
            timed("find", lambda book=book, row=row: book.active(row.fingerprint))
            timed("page of 50", lambda book=book: book.entries(limit=50))
            timed("library's first page", lambda: search_entries(home, offset=0, limit=60))
            timed("owed", lambda book=book: book.unfinished())
            timed("month's sum", lambda book=book: book.spent_this_month())
    return {what: median(each) for what, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--detail", action="store_true", help="all figures, as Markdown")
    arguments = parser.parse_args()
    figures = {}
    for rows in (1, arguments.rows):
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), rows)
            figures[f"{rows:,} rows"] = measure(Path(folder), arguments.rounds)
    if arguments.detail:
        table("ledger, median", figures)
        return
    empty, full = figures.values()
    for what, most_ms in AT_MOST_MS.items():
        name, note = f"ledger: {what}, {arguments.rows:,} rows", f"{empty[what]:.2f} ms when empty"
        print_figure(name.replace(" ms", ""), full[what], "ms", at_most=most_ms, note=note)


if __name__ == "__main__":
    main()
