"""Plays cells of the fault matrix on a local fal of its own: cells on stdin, JSON lines on stdout.

A cell is `way/fault`. After what its way says, the shot is run until it succeeds, four times at
most, and the fault is switched off before the last, as faults pass in the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from shots import findings, interrupted, job_findings, jobs_of, run, shot

import local_fal
from vidu import Clip, Ledger, Phase, ViduError

RUNS = 4
LONGEST_FIRST_RUN_S = 8


class Cell:
    """One cell: its books, and what its runs said."""

    def __init__(self, fal: local_fal.LocalFal, fault: str, place: Path) -> None:
        self.fal, self.fault, self.home, self.folder = fal, fault, place / "home", place / "clips"
        self.errors: list[list[str]] = []

    async def run(self, **options: Any) -> Clip | None:
        try:
            return await run(shot(), self.home, self.folder, **options)
        except ViduError as error:
            self.errors.append([type(error).__name__, str(error)])
            return None

    async def runs(self) -> Clip | None:
        for left in reversed(range(RUNS)):
            if not left:
                self.fal.set_faults("")
            clip = await self.run()
            if clip:
                return clip
        return None

    async def torn_down(self, phase: Phase, *, by_artist: bool) -> None:
        await interrupted(shot(), self.home, self.folder, phase, by_artist=by_artist)


async def once(cell: Cell) -> None:
    """The fault strikes one request, or one job."""
    cell.fal.set_faults(f"{cell.fault}:1")


async def throughout(cell: Cell) -> None:
    """The fault strikes every request of the first run, which is torn down should it not end."""
    cell.fal.set_faults(cell.fault)
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(cell.run(), LONGEST_FIRST_RUN_S)
    cell.fal.set_faults("")


async def resumed(cell: Cell) -> None:
    """The first run is torn down while fal generates; the fault strikes the one that goes on."""
    cell.fal.set_faults("slow:1")
    await cell.torn_down(Phase.GENERATING, by_artist=False)
    cell.fal.set_faults(f"{cell.fault}:1")


async def cancelled(cell: Cell) -> None:
    """The artist cancels while fal generates, and the fault strikes the cancelling."""
    cell.fal.set_faults(f"slow:1,{cell.fault}:1")
    await cell.torn_down(Phase.GENERATING, by_artist=True)


async def fetched_again(cell: Cell) -> None:
    """The kept file is gone, and the fault strikes the run that fetches it again."""
    clip = await cell.run()
    assert clip is not None
    clip.path.unlink()
    cell.fal.set_faults(f"{cell.fault}:1")


WAYS: dict[str, Callable[[Cell], Awaitable[None]]] = {
    way.__name__: way for way in (once, throughout, resumed, cancelled, fetched_again)
}


async def play(cell: Cell, way: str) -> dict[str, Any]:
    await WAYS[way](cell)
    clip = await cell.runs()
    jobs = jobs_of(cell.fal, shot())
    found = (
        findings(cell.fal, cell.home, cell.folder, shot(), clip)
        if clip
        else list(job_findings(jobs))
    )
    return {
        "errors": cell.errors,
        "findings": found,
        "jobs": len(jobs),
        "kept": clip is not None,
        "again": len(jobs) + await forgotten_and_run_again(cell, clip is None),
        "shortest_gap_s": shortest_gap_s(cell.fal),
        "key_told": any(cell.fal.key.split(":")[1] in text for _, text in cell.errors),
        "spent_usd": spent_usd(cell.home),
        "billed_usd": cell.fal.ledger()["billed_usd"],
    }


async def forgotten_and_run_again(cell: Cell, broken_for_good: bool) -> int:
    """The artist's own word to pay anew, where what fal keeps never becomes a clip; new jobs."""
    if not broken_for_good:
        return 0
    before = len(jobs_of(cell.fal, shot()))
    with Ledger.open(cell.home) as ledger:
        row = ledger.live(shot().fingerprint)
        assert row is not None
        ledger.forget(row)
    assert await cell.run()
    return len(jobs_of(cell.fal, shot())) - before


def shortest_gap_s(fal: local_fal.LocalFal) -> float | None:
    """The shortest time between two paid POSTs."""
    requests = fal.ledger()["requests"]
    paid = [each["at"] for each in requests if each["path"] == "/fal-ai/vidu/image-to-video"]
    return min((later - earlier for earlier, later in pairwise(paid)), default=None)


def spent_usd(home: Path) -> float:
    with Ledger.open(home) as ledger:
        return float(ledger.spent_today())


def main() -> None:
    options = {"generation_seconds": 0.2, "clip_size": (64, 48), "clip_frames": 8}
    with tempfile.TemporaryDirectory() as folder, local_fal.running(**options) as fal:
        os.environ.update(fal.environment)
        for number, name in enumerate(map(str.strip, sys.stdin)):
            way, fault = name.split("/")
            fal.reset()
            outcome = asyncio.run(play(Cell(fal, fault, Path(folder, str(number))), way))
            print(json.dumps(outcome | {"cell": name}), flush=True)


if __name__ == "__main__":
    main()
