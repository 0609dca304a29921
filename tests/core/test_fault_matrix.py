"""Every fault of local_fal, once and twice: one job is paid for, and its clip comes home whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import local_fal

ROOT = Path(__file__).parents[2]
WORKERS = 8

# What fal keeps of these clips is broken for good: they are paid for, and never paid for again.
BROKEN_FOR_GOOD = {
    "video_missing",
    "video_null",
    "file_url",
    "http_url",
    "private_url",
    "cut_clip",
}
# No call of a generation meets these.
ELSEWHERE = ("pricing_", "billing_")


def cells() -> list[str]:
    met = [name for name in local_fal.FAULTS if not name.startswith(ELSEWHERE)]
    transient = [name for name in met if name.rpartition("_")[2] in ("reset", "timeout", "500")]
    return [f"{name}:1" for name in met] + [f"{name}:2" for name in transient]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict]:
    """All cells, run by workers side by side: most of a cell is waiting."""
    every, environment = cells(), {**os.environ, "PYTHONPATH": str(ROOT)}
    workers = []
    for index in range(WORKERS):
        worker = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("matrix_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        worker.stdin.write("\n".join(every[index::WORKERS]))
        worker.stdin.close()
        workers.append(worker)
    lines = [line for worker in workers for line in worker.stdout]
    assert [worker.wait() for worker in workers] == [0] * WORKERS
    return {outcome["cell"]: outcome for outcome in map(json.loads, lines)}


@pytest.mark.parametrize("cell", cells())
def test_one_job_is_paid_for_and_its_clip_comes_home(cell, outcomes):
    outcome = outcomes[cell]
    assert outcome["billed"] == 1, outcome
    assert outcome["open"] == 0, outcome
    assert not outcome["key_told"]
    if cell.partition(":")[0] in BROKEN_FOR_GOOD:
        assert not outcome["kept"]
        assert outcome["jobs"] == 1
        assert "paid for" in outcome["errors"][-1][1]
        return
    assert outcome["kept"], outcome
    assert outcome["equal"], outcome
    assert outcome["left_over"] == []
