"""Runs cells of the fault matrix, each on a fresh local fal: cells on stdin, JSON lines on stdout.

A cell is `fault:times`. The shot is run until it succeeds, four times at most, and the fault is
switched off before the last, as faults pass in the end.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import av
import numpy as np

import local_fal
from vidu import Fal, Ledger, Settings, ViduError, find_key, generate, image_to_video
from vidu.clip import check

RUNS = 4
SETTINGS = Settings(
    queue_limit_s=Decimal(2),
    generation_limit_s=Decimal(2),
    stall_limit_s=Decimal("0.7"),
    outage_limit_s=Decimal(6),
)


def packets(source: io.BytesIO | str) -> list[bytes]:
    with av.open(source) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def served(job: dict, fal: local_fal.LocalFal) -> io.BytesIO:
    """What the job's address gives, byte for byte."""
    import ssl

    context = ssl.create_default_context(cafile=fal.authority)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": fal.url}),
        urllib.request.HTTPSHandler(context=context),
    )
    with opener.open(job["output"]["video"]["url"]) as response:
        return io.BytesIO(response.read())


async def run_once(number: int, home: Path, folder: Path) -> Path:
    pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)

    def names(width: int, height: int) -> Iterator[Path]:
        return (folder / f"clip_{index:05}.mp4" for index in range(1, 100))

    async with Fal(find_key(home).secret, SETTINGS) as fal:
        with Ledger.open(home) as ledger:
            request = image_to_video(pixels, "waves roll in")
            return (await generate(request, fal, ledger, names, settings=SETTINGS)).path


def run_cell(cell: str, number: int, fal: local_fal.LocalFal, home: Path) -> dict:
    fal.reset()
    fal.set_faults(cell)
    clip, errors = None, []
    for left in reversed(range(RUNS)):
        if not left:
            fal.set_faults("")
        try:
            clip = asyncio.run(run_once(number, home, home / "clips"))
            break
        except ViduError as error:
            errors.append([type(error).__name__, str(error)])
    fal.set_faults("")
    jobs = fal.ledger()["jobs"]
    billed = [job for job in jobs if job["billed"]]
    if clip:
        check(clip)
    return {
        "cell": cell,
        "jobs": len(jobs),
        "billed": len(billed),
        "open": sum(job["state"] != "COMPLETED" for job in jobs),
        "kept": clip is not None,
        "equal": bool(clip and billed and packets(str(clip)) == packets(served(billed[0], fal))),
        "left_over": [path.name for path in home.glob("clips/.*")],
        "errors": errors,
        "key_told": any(fal.key in text for _, text in errors),
    }


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        local_fal.running(generation_seconds=0.1, clip_size=(64, 48), clip_frames=8) as fal,
    ):
        os.environ.update(fal.environment)
        for number, cell in enumerate(sys.stdin.read().split()):
            home = Path(folder) / str(number)
            print(json.dumps(run_cell(cell, number, fal, home)), flush=True)


if __name__ == "__main__":
    main()
