"""Each candidate in a process of its own, in turns, and the medians of that."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np

ROUNDS = 5
STATUS = Path("/proc/self/status")

Figures = dict[str, float]


def run(work: Callable[[], object]) -> None:
    """In the child: do the work once and print what it took."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here, after the imports
    before = _memory_mb("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    figures = {
        "wall s": time.perf_counter() - wall,
        "cpu s": time.process_time() - cpu,
        "peak MB": _memory_mb("VmHWM") - before,
    }
    print(json.dumps(figures))


def race(
    commands: Mapping[str, Sequence[str]], rounds: int = ROUNDS, warm_bytes: int = 0
) -> dict[str, Figures]:
    """In the parent: run every command in turns; return the median of each figure.

    A virtual machine's host hands it memory on first touch, slowly, and takes it back when it is
    free. So that no candidate pays this for the next, `warm_bytes` are touched before each run.
    """
    taken: dict[str, list[Figures]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            np.empty(warm_bytes, np.uint8).fill(1)
            taken[name].append(_figures(command))
    return {
        name: {figure: median(one[figure] for one in each) for figure in each[0]}
        for name, each in taken.items()
    }


def _figures(command: Sequence[str]) -> Figures:
    """Run a command that knows no other ledger, so that no clip of an earlier run is used again."""
    with tempfile.TemporaryDirectory() as data_dir:
        environment = os.environ | {"VIDU_HOME": data_dir}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=environment
        )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(title: str, rows: Mapping[str, Mapping[str, float | str]]) -> None:
    """Print rows of figures as a Markdown table."""
    heads = list(next(iter(rows.values())))
    print(f"\n| {title} | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads), sep="\n")
    for name, figures in rows.items():
        cells = (figures[head] for head in heads)
        shown = (cell if isinstance(cell, str) else f"{cell:.2f}" for cell in cells)
        print(f"| {name} | " + " | ".join(shown) + " |", flush=True)


def _memory_mb(field: str) -> float:
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
