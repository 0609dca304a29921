"""Two hundred jobs at once at local_fal, from the pack's own client, against one.

Run `python -m benchmarks.load [--rounds N]`. local_fal and the client have a process, and on two
cores a core, each; whichever takes more of its core is the one that the other waits for. Clips are
tiny, for rendering is not serving. A run takes 12 s and more, so there are three rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks._local_fal import behind, ledger
from benchmarks._measure import race
from benchmarks._table import print_ratio
from vidu import Settings, image_to_video
from vidu.credentials import find_key
from vidu.fal.client import Fal
from vidu.provider import Completed
from vidu.steps.poll import POLL_EVERY_S

SECONDS, JOBS, CLIP = 10, 200, "64x48x8"
MOST = 1.5
"""Of one job's time for all: two hundred uploads begin at the same moment, on the client's core."""


async def serve_all(count: int) -> dict[str, float]:
    """In the child: take this many jobs the whole way."""
    fal_process = psutil.Process().parent()
    with tempfile.TemporaryDirectory() as folder:
        async with Fal(find_key(Path(folder)).secret, Settings()) as fal:
            fal_cpu, cpu, began_at = cpu_s(fal_process), time.process_time(), time.perf_counter()
            jobs = (one(fal, index, Path(folder)) for index in range(count))
            await asyncio.gather(*jobs)
            wall = time.perf_counter() - began_at
    told = ledger()
    assert told["most_running"] == told["counts"]["jobs"] == count
    return {
        "wall s": wall,
        "cpu s": time.process_time() - cpu,
        "fal cpu s": cpu_s(fal_process) - fal_cpu,
    }


async def one(fal: Fal, index: int, folder: Path) -> None:
    picture = np.full((48, 64, 3), index % 256, np.uint8)
    shot = image_to_video(picture, "The waves roll in.", seed=index + 1)
    urls = {"image": [await fal.upload(medium) for medium in shot.media["image"]]}
    handle = await fal.submit(shot.endpoint, shot.arguments(urls))
    status = None
    while not isinstance(status, Completed):
        await asyncio.sleep(POLL_EVERY_S)
        status = await fal.status(handle)
    output = await fal.result(handle, status, may_have_run=True)
    await fal.download(output, folder / f"{index}.part", lambda _: None)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, metavar="N", help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.jobs:
        print(json.dumps(asyncio.run(serve_all(arguments.jobs))))
        return
    command = (sys.executable, "-m", "benchmarks.load", "--jobs")
    fal = {"seconds": SECONDS, "concurrency": JOBS, "clip": CLIP}
    commands = {str(count): behind(*command, count, **fal) for count in (1, JOBS)}
    figures = race(commands, arguments.rounds)
    one, all_ = figures["1"], figures[str(JOBS)]
    print_ratio(
        f"local_fal: its CPU for {JOBS} jobs at once",
        all_["fal cpu s"],
        all_["cpu s"],
        "its client's",
        at_most=1,
    )
    one_s, all_s = one["wall s"], all_["wall s"]
    print_ratio(f"local_fal: {JOBS} jobs at once", all_s, one_s, "one", at_most=MOST)


if __name__ == "__main__":
    main()
