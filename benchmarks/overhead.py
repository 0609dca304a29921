"""From the moment fal has finished to frames in the graph: what the pack adds to the decoding.

Run `python -m benchmarks.overhead [--rounds N]`. ComfyUI's executor runs a graph of one 720p shot
against local_fal, whose ledger says when the job ended. The question that sees the end comes up to
1.05 s later, for fal takes one a second: that wait is told apart, it is not work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._comfyui import Graph, clips_of, export_frames
from benchmarks._local_fal import behind, hold_until_made, ledger
from benchmarks._measure import ROUNDS, race
from benchmarks._table import print_figure
from vidu.credentials import find_key
from vidu.fal.client import Fal
from vidu.media.video import check, decode
from vidu.models import Output
from vidu.settings import Settings

CLIP = "1280x720x96"
SECONDS = 4  # longer than rendering the clip takes
MOST_S = 0.5
FRAME_BYTES = 1280 * 720 * 96 * 3 * 4


def shot() -> None:
    """In a child: run the shot, then a process of its own that does the parts not counted."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        graph = Graph(base)
        prompt = clips_of([export_frames(base / "input", 1)])
        hold_until_made(2 * FRAME_BYTES)
        graph.execute(prompt)
        in_graph_at = time.time()
        (job,) = ledger()["jobs"]
        (saved,) = (base / "output").glob("**/*.mp4")
        asked_at = min(moment for moment in job["polls"] if moment >= job["ended_at"])
        command = [sys.executable, "-m", "benchmarks.overhead", "--parts", str(saved)]
        parts = json.loads(subprocess.check_output(command))
    added_s = in_graph_at - asked_at - parts["download s"] - parts["decode s"]
    waited_s = asked_at - job["ended_at"]
    print(json.dumps({"added s": added_s, "until asked s": waited_s, **parts}))


def parts(saved: Path) -> None:
    """In a child of the child: fetch the same clip again, check it, decode it."""
    (job,) = ledger()["jobs"]
    download_s = timed(lambda: asyncio.run(fetch(job, saved.with_suffix(".part"))))
    check_s = timed(lambda: check(saved))
    np.empty(2 * FRAME_BYTES, np.uint8).fill(1)  # as the graph's decoding finds it
    decode_s = timed(lambda: decode(saved))
    print(json.dumps({"download s": download_s, "check s": check_s, "decode s": decode_s}))


async def fetch(job: dict[str, Any], part: Path) -> None:
    video = job["output"]["video"]
    async with Fal(find_key(part.parent).secret, Settings()) as fal:
        await fal.download(Output(video["url"], video["file_size"], None), part, lambda _: None)


def timed(work: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    work()
    return time.perf_counter() - began_at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--shot", action="store_true", help="one run, in a child")
    parser.add_argument("--parts", type=Path, metavar="CLIP", help="the same, in a child of it")
    arguments = parser.parse_args()
    if arguments.shot:
        return shot()
    if arguments.parts:
        return parts(arguments.parts)
    if "COMFYUI_PATH" not in os.environ:
        print("overhead: NOT MEASURED without a ComfyUI", file=sys.stderr)
        return None
    command = [os.environ["COMFYUI_PYTHON"], "-m", "benchmarks.overhead", "--shot"]
    commands = {"shot": behind(*command, seconds=SECONDS, concurrency=1, clip=CLIP)}
    figures = race(commands, arguments.rounds)["shot"]
    added, waited = figures["added s"], figures["until asked s"]
    note = f"decode {figures['decode s']:.2f}, check {figures['check s']:.2f} s"
    print_figure("overhead: work beside the 720p decode", added, "s", at_most=MOST_S, note=note)
    note = f"fal finished {waited:.2f} s before"
    print_figure("overhead: and waiting to ask", added + waited, "s", at_most=MOST_S, note=note)
    return None


if __name__ == "__main__":
    main()
