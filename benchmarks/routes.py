"""The routes of the editor with 100,000 clips in the ledger: how long the host's loop waits.

Run `python -m benchmarks.routes [--rows N] [--seconds S] [--detail]`. The routes run over the
small fake ComfyUI of the tests, in an event loop that does nothing else; each is asked by eight
clients at once, from a process of their own, as browsers do. It is asked once more while another
connection holds the ledger's write lock, and once more with a disk that takes 20 ms for each look.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from aiohttp import ClientSession, web

from benchmarks._table import print_figure

ROOT = Path(__file__).resolve().parents[1]
FAKE_COMFYUI = ROOT / "tests" / "support" / "comfyui"
AT_MOST_MS = 10
CLIENTS = 8
SLOW_S = 0.02
WINDOWS = 5
PROMPT = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    "2": {"class_type": "FalViduImageToVideo", "inputs": {"image": ["1", 0], "mode": "live"}},
}
ROUTES: dict[str, tuple[str, str, Any]] = {
    "state": ("GET", "state", None),
    "jobs": ("GET", "jobs", None),
    "first page": ("GET", "clips?limit=50", None),
    "last page": ("GET", "clips?limit=50&offset=99900", None),
    "search": ("GET", "clips?limit=50&text=horizon", None),
    "prices": ("POST", "prices", {"prompt": PROMPT}),
    "thumbnail of no clip": ("GET", "clips/1/thumbnail", None),
}
ROW = """INSERT INTO entries (fingerprint, endpoint, state, prompt, search_text, seed, options,
    price_micro_usd, revision, reserved_at, request_id, status_url, response_url, cancel_url, path,
    relative_path, size, sha256, width, height, fps, frame_count, duration_s)
    VALUES (?1, 'fal-ai/vidu/image-to-video', 'saved', ?2, ?2, ?3, '{}', 200000, 1, ?4, ?1, 'https://a',
    'https://b', 'https://c', '/nowhere/clip.mp4', 'clip.mp4', 1, ?1, 1280, 720, 24.0, 96, 4.0)"""
PROMPT_TEXT = "waves roll in, number {}, towards the horizon."


@contextlib.asynccontextmanager
async def serving(data_dir: Path) -> AsyncIterator[str]:
    """Serve the pack's routes, and yield their address."""
    os.environ["VIDU_HOME"] = str(data_dir)
    pack = ModuleType("pack_over_fake_comfyui")
    pack.__path__ = [str(ROOT)]
    sys.modules[pack.__name__] = pack
    sys.path.insert(0, str(FAKE_COMFYUI))
    nodes = import_module(f"{pack.__name__}.nodes")
    server = import_module("server").PromptServer.instance
    await (await nodes.comfy_entrypoint()).on_load()
    app = web.Application()
    app.add_routes(server.routes)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/vidu/"
    finally:
        await runner.cleanup()


def fill(path: Path, rows: int) -> None:
    """Add rows to the ledger."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executemany(
            ROW,
            ((f"{n:064x}", PROMPT_TEXT.format(n), n, 1.7e9 + n) for n in range(rows)),
        )
        db.commit()


async def worst_lag_ms(seconds: float) -> float:
    """Return how late the loop called back at the latest, in milliseconds.

    The median of the worst of `WINDOWS` stretches: a stall of the machine is in one of them, and
    a call that blocks the loop is in each.
    """
    worst = []
    for _ in range(WINDOWS):
        worst.append(0.0)
        end = time.monotonic() + seconds / WINDOWS
        while time.monotonic() < end:
            before = time.monotonic()
            await asyncio.sleep(0.001)
            worst[-1] = max(worst[-1], time.monotonic() - before - 0.001)
    return statistics.median(worst) * 1000


async def ask(session: ClientSession, method: str, url: str, body: Any, end: float) -> int:
    """Ask a route again and again, and return how often it answered."""
    count = 0
    while time.monotonic() < end:
        async with session.request(method, url, json=body) as answer:
            await answer.read()
        count += 1
    return count


def clients(base: str, name: str, seconds: float) -> int:
    """Ask from a process of its own, so that its work is not measured."""
    method, path, body = ROUTES[name]

    async def run() -> int:
        end = time.monotonic() + seconds
        async with ClientSession() as session:
            asked = [ask(session, method, base + path, body, end) for _ in range(CLIENTS)]
            return sum(await asyncio.gather(*asked))

    return asyncio.run(run())


@contextlib.contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold the ledger's write lock, as another process that writes."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


@contextlib.contextmanager
def slow_disk(_: Path) -> Iterator[None]:
    """Let each look at a file, and each query, take as long as on a sleeping network drive."""
    database = import_module("pack_over_fake_comfyui.vidu.ledger.sqlite").SqliteDatabase
    stat, rows = os.stat, database.rows

    def slowly(work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            time.sleep(SLOW_S)
            return work(*args, **options)

        return call

    os.stat, database.rows = slowly(stat), slowly(rows)
    try:
        yield
    finally:
        os.stat, database.rows = stat, rows


CONDITIONS: dict[str, Callable[[Path], contextlib.AbstractContextManager[None]]] = {
    "": lambda _: contextlib.nullcontext(),
    ", lock held": held_lock,
    ", slow disk": slow_disk,
}


async def measure(rows: int, seconds: float, detail: bool) -> None:
    """Print the worst lag of each route."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        async with serving(data_dir) as base, ClientSession() as session:
            await (await session.get(f"{base}state")).read()
            ledger = data_dir / "__fal_vidu" / "ledger.sqlite"
            fill(ledger, rows)
            quiet = await worst_lag_ms(seconds)
            print_figure("routes: loop lag, nothing asked", quiet, "ms", at_most=AT_MOST_MS)
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawn) as browser:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(browser, clients, base, "jobs", 0.1)  # it has started
                for name in ROUTES:
                    for condition, hold in CONDITIONS.items():
                        with hold(ledger):
                            answered, lag = await asyncio.gather(
                                loop.run_in_executor(browser, clients, base, name, seconds),
                                worst_lag_ms(seconds),
                            )
                        label = f"routes: loop lag, {name}{condition}"
                        print_figure(label, lag, "ms", at_most=AT_MOST_MS)
                        if detail:
                            print(f"    {answered / seconds:.0f} answers a second")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--detail", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.rows, arguments.seconds, arguments.detail))


if __name__ == "__main__":
    main()
