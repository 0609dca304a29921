"""Eight shots at once against one; and how regularly fal is asked while another clip is decoded.

Run `python -m benchmarks.parallel [--rounds N]`. A generation is emulated: local_fal takes 10 s and
makes eight at once. Its clips are small, for what is asked is whether eight wait as one does: the
decoding of eight is eight times that of one, which `benchmarks.decode` measures. A run takes 12 s
and more, so there are three rounds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks._comfyui import Graph, clips_of, export_frames
from benchmarks._local_fal import behind, hold_until_made, ledger, set_faults
from benchmarks._measure import race
from benchmarks._table import print_figure, print_ratio

SECONDS, AT_ONCE, CLIP, FRAMES_BYTES = 10, 8, "320x176x96", 8 * 96 * 320 * 176 * 3 * 4
BATCHES = {"one": (1,), "a batch of eight": (8,), "two nodes of four": (4, 4)}
MOST = 1.15

# The one shot that is still waited for takes local_fal's fault `slow`: ten times as long.
BIG_SECONDS, BIG_CLIP = 3, "1280x720x192"
DECODED_WITHIN_S = 5.0
POLL_EVERY_S, LATE_S = 1.05, 0.25


def graph(batches: tuple[int, ...]) -> None:
    """In a child: execute a graph with a node for each batch of this many pictures."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(timed(graph_in(Path(folder), batches))))


def graph_in(base: Path, batches: tuple[int, ...]) -> Callable[[], object]:
    comfyui = Graph(base)
    pictures = iter(export_frames(base / "input", sum(batches)))
    prompt = clips_of([[next(pictures) for _ in range(count)] for count in batches])
    return lambda: comfyui.execute(prompt)


def shell(count: int) -> None:
    """In a child: run `python -m vidu generate` with this many pictures."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = export_frames(Path(folder), count)
        command = [sys.executable, "-m", "vidu", "generate", *map(str, pictures)]
        command += ["--prompt", "The beam sweeps over the sea.", "--seed", "1"]
        command += ["--out", folder, "--home", folder]
        done = timed(lambda: subprocess.run(command, check=True, capture_output=True))
        print(json.dumps(done))


def timed(work: Callable[[], object]) -> dict[str, float]:
    hold_until_made(FRAMES_BYTES)
    gc.collect()  # or the first to import anything pays for all that ComfyUI has loaded
    began_at = time.perf_counter()
    work()
    jobs = ledger()["jobs"]
    generated_s = [job["ended_at"] - job["started_at"] for job in jobs]
    wall_s = time.perf_counter() - began_at
    return {"wall s": wall_s, "jobs": len(jobs), "generation s": max(generated_s)}


def stall() -> None:
    """In a child: two shots in two nodes; the second is asked for while the first is decoded."""
    with tempfile.TemporaryDirectory() as folder:
        execute = graph_in(Path(folder), (1, 1))
        set_faults("slow:1")
        execute()
        early, late = sorted(ledger()["jobs"], key=lambda job: job["ended_at"])
        print(json.dumps(gaps(early, late)))


def gaps(early: dict[str, Any], late: dict[str, Any]) -> dict[str, float]:
    """Return the longest time between two questions for `late` once `early` had ended.

    Raises:
        SystemExit: There was no time to decode `early` in meanwhile.
    """
    if late["ended_at"] - early["ended_at"] < DECODED_WITHIN_S:
        raise SystemExit("Both clips took equally long: the machine is too busy to measure this.")
    asked_at = [moment for moment in late["polls"] if moment > early["ended_at"] - POLL_EVERY_S]
    longest = max(after - before for before, after in pairwise(asked_at))
    return {"longest s": longest}


def compare(kind: str, commands: dict[str, list[object]], rounds: int) -> None:
    fal = {"seconds": SECONDS, "concurrency": AT_ONCE, "clip": CLIP}
    figures = race({name: behind(*each, **fal) for name, each in commands.items()}, rounds)
    one = figures.pop("one")["wall s"]
    for name, each in figures.items():
        against = f"one shot (fal {each['generation s']:.1f} s)"
        print_ratio(f"parallel: {kind}, {name}", each["wall s"], one, against, at_most=MOST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--graph", type=int, nargs="+", metavar="N", help="one run, in a child")
    parser.add_argument("--shell", type=int, metavar="N", help="one run, in a child")
    parser.add_argument("--stall", action="store_true", help="one run, in a child")
    arguments = parser.parse_args()
    if arguments.graph:
        return graph(tuple(arguments.graph))
    if arguments.shell:
        return shell(arguments.shell)
    if arguments.stall:
        return stall()
    this = ("-m", "benchmarks.parallel")
    shells = {"one": 1, "eight": 8}
    compare(
        "shell",
        {name: [sys.executable, *this, "--shell", count] for name, count in shells.items()},
        arguments.rounds,
    )
    if "COMFYUI_PATH" not in os.environ:
        print("parallel: the graph is NOT MEASURED without a ComfyUI", file=sys.stderr)
        return None
    host = os.environ["COMFYUI_PYTHON"]
    compare(
        "graph",
        {name: [host, *this, "--graph", *counts] for name, counts in BATCHES.items()},
        arguments.rounds,
    )
    watched = behind(host, *this, "--stall", seconds=BIG_SECONDS, concurrency=2, clip=BIG_CLIP)
    longest = race({"stall": watched}, arguments.rounds)["stall"]["longest s"]
    most, note = POLL_EVERY_S + LATE_S, "two nodes, the other decodes 2.1 GB"
    print_figure("parallel: between two polls", longest, "s", at_most=most, note=note)
    return None


if __name__ == "__main__":
    main()
