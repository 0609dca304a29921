"""The ledger, empty and with 100,000 rows in it: the median of each thing a shot asks of it.

Run `python -m benchmarks.ledger [--rows N] [--rounds N] [--detail]`. Writing is as slow as
the disk is sure: each row is on it before the call returns. With VIDU_LEDGER set, an empty
PostgreSQL ledger is measured and filled instead of a file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks._measure import table
from benchmarks._table import print_figure
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.ledger import Budget, Ledger, open_ledger
from vidu.library import search_entries
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile
from vidu.request import Request

T = TypeVar("T")

AT_MOST_MS = {"claim ms": 5, "finish ms": 10, "library's first page ms": 50}
BUDGET = Budget(Decimal(1_000_000))
IMAGE = EncodedImage(b"", "image/png", 1280, 720, "ab" * 32)
PROMPT = "slow waves roll in over wet sand while the camera follows a gull to the horizon"

# Each with a fingerprint and a request of its own, four minutes apart, the last one now.
TIMES = ("reserved_at", "counted_at", "submitting_at", "submitted_at", "finished_at", "saved_at")
COPIES = """
    WITH RECURSIVE numbers(n) AS (
        SELECT CAST(? AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?
    )
    INSERT INTO entries ({columns}, {times}, fingerprint, request_id)
    SELECT {columns}, {earlier}, {fingerprint}, 'copy-' || n
    FROM (SELECT * FROM entries WHERE id = 1) AS original, numbers
"""
AT_ONCE = 20_000
FINGERPRINT = {
    "sqlite": "lower(hex(randomblob(32)))",
    "postgres": "md5(n::text) || md5((-n)::text)",
}

numbers = count(1)


async def claim(ledger: Ledger) -> Entry:
    prompt = f"{PROMPT} {next(numbers)}"
    request = Request(VIDU_IMAGE_TO_VIDEO, prompt, media={"image": (IMAGE,)})
    return await ledger.reserve(request, BUDGET, time.time())


async def post(ledger: Ledger, row: Entry) -> Entry:
    name = f"{row.id:08}-04bd-463a-a98c-895502cfdce9"
    address = f"https://queue.fal.run/fal-ai/vidu/requests/{name}"
    row = await ledger.mark_submitting(
        row,
        {"prompt": row.prompt, "image_url": f"https://v3b.fal.media/{name}"},
        server_time=time.time(),
    )
    return await ledger.mark_submitted(
        row, RequestHandle(name, f"{address}/status", address, f"{address}/cancel")
    )


async def finish(ledger: Ledger, row: Entry, folder: Path) -> Entry:
    url = f"https://v3b.fal.media/{row.request_id}.mp4"
    row = await ledger.mark_finished(row, Output(url, 4_000_000, 1.0))
    file = SavedFile(
        folder / f"Vidu_{row.id:05}_.mp4", 4_000_000, "cd" * 32, 1280, 720, 24.0, 96, 4.0
    )
    return await ledger.mark_saved(row, file)


async def fill(folder: Path, rows: int) -> None:
    async with open_ledger(folder) as ledger:
        await finish(ledger, await post(ledger, await claim(ledger)), folder)
        kind = "postgres" if os.environ.get("VIDU_LEDGER") else "sqlite"
        await ledger._worker.run(copy_row, ledger._db, rows - 1, FINGERPRINT[kind])
    if kind == "postgres":
        vacuum()


def vacuum() -> None:
    """Do what the server does by itself while a ledger grows: it learns how large it is."""
    import psycopg

    with psycopg.connect(os.environ["VIDU_LEDGER"], autocommit=True) as db:
        db.execute("VACUUM ANALYZE vidu.entries")


def copy_row(db: object, copies: int, fingerprint: str) -> None:
    (row,) = db.rows("SELECT * FROM entries")
    own = ("id", "fingerprint", "request_id", *TIMES)
    statement = COPIES.format(
        columns=", ".join(name for name in row if name not in own),
        times=", ".join(TIMES),
        earlier=", ".join(f"{name} - 240 * n" for name in TIMES),
        fingerprint=fingerprint,
    )
    for first in range(1, copies + 1, AT_ONCE):
        with db.transaction(timeout_s=60):
            db.execute(statement, first, min(first + AT_ONCE - 1, copies))


async def measure(folder: Path, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {}

    async def timed(what: str, work: Awaitable[T]) -> T:
        before = time.perf_counter()
        result = await work
        taken.setdefault(f"{what} ms", []).append((time.perf_counter() - before) * 1000)
        return result

    for _ in range(rounds):
        opening = open_ledger(folder)
        ledger = await timed("open", opening.__aenter__())
        try:
            row = await timed("claim", claim(ledger))
            row = await timed("post", post(ledger, row))
            row = await timed("finish", finish(ledger, row, folder))
            await timed("find", ledger.active(row.fingerprint))
            await timed("page of 50", ledger.entries(limit=50))
            await timed("library's first page", search_entries(folder, offset=0, limit=60))
            await timed("owed", ledger.unfinished())
            await timed("month's sum", ledger.spent_this_month())
        finally:
            await opening.__aexit__(None, None, None)
    return {what: median(each) for what, each in taken.items()}


async def measure_both(rows: int, rounds: int) -> dict[str, dict[str, float]]:
    figures = {}
    for each in (1, rows):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["VIDU_HOME"] = folder  # no other ledger of this user is asked
            await fill(Path(folder), each)
            figures[f"{each:,} rows"] = await measure(Path(folder), rounds)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--detail", action="store_true", help="all figures, as Markdown")
    arguments = parser.parse_args()
    figures = asyncio.run(measure_both(arguments.rows, arguments.rounds))
    if arguments.detail:
        table("ledger, median", figures)
        return
    empty, full = figures.values()
    for what, most_ms in AT_MOST_MS.items():
        name, note = f"ledger: {what}, {arguments.rows:,} rows", f"{empty[what]:.2f} ms when empty"
        print_figure(name.replace(" ms", ""), full[what], "ms", at_most=most_ms, note=note)


if __name__ == "__main__":
    main()
