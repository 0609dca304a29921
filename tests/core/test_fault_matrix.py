"""Every fault of local_fal in every way it can strike: one job is paid for, its clip comes whole.

The promise, for each cell: a paid POST is made only when no job of this shot is alive, and none was
billed. So a shot has one job, and another only after fal ended the one before with an error and
unbilled; or, where what fal keeps of a billed one is broken for good, after the artist's own word.
Each test is one cell.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import local_fal
from local_fal.faults import DOWNLOAD, GENERATION, KINDS, ODD_DETAILS, OF_A_JOB, PLACES

from .shots import SHORT

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("matrix_worker.py")
WORKERS = 8  # most of a cell is waiting

# No call of a generation meets these.
ELSEWHERE = ("pricing_", "billing_")
# The job ends with an error, and unbilled.
ENDING = {"stuck_in_queue", *GENERATION, *ODD_DETAILS} - {"slow", "cancel_ignored"}
# What fal keeps of these clips is broken: they are paid for, and not paid for again.
BROKEN_FOR_GOOD = {
    *("video_missing", "video_null", "file_url", "http_url", "private_url", "cut_clip"),
}
# The paid POST is read and not accepted, and nobody can tell that from its reply.
NEVER_ACCEPTED = {f"submit_{kind}" for kind in (*KINDS, "reset", "timeout")} - {"submit_429"}


def at(*places: str) -> list[str]:
    assert set(places) <= set(PLACES)
    return [f"{place}_{kind}" for place in places for kind in (*KINDS, "reset", "timeout")]


def cells() -> list[str]:
    met = [name for name in local_fal.FAULTS if not name.startswith(ELSEWHERE)]
    ways = {
        "once": met,
        "throughout": [name for name in met if name not in OF_A_JOB],
        "resumed": [
            *at("status", "result", "download"),
            *("status_expired", "result_expired", *DOWNLOAD),
        ],
        "cancelled": [*at("cancel"), "cancel_ignored"],
        "fetched_again": [*at("download"), *DOWNLOAD],
    }
    return [f"{way}/{fault}" for way, faults in ways.items() for fault in faults]


@pytest.fixture(scope="module")
def outcomes(request) -> dict[str, dict[str, Any]]:
    """What became of each cell of this run, played by workers side by side."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for item in request.session.items:
        if item.path == request.path:
            waiting.put(item.callspec.params["cell"])
    played: dict[str, dict[str, Any]] = {}

    def work() -> None:
        for outcome in worked(waiting):
            played[outcome["cell"]] = outcome

    threads = [threading.Thread(target=work) for _ in range(min(WORKERS, waiting.qsize()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return played


def worked(waiting: queue.SimpleQueue[str]) -> Iterator[dict[str, Any]]:
    """A worker's outcomes, one cell after the other."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, WORKER], env=environment, **pipes) as worker:
        while not waiting.empty():
            try:
                cell = waiting.get_nowait()
            except queue.Empty:
                break
            print(cell, file=worker.stdin, flush=True)
            line = worker.stdout.readline()
            if not line:
                return  # it fell; its cell has no outcome, which the test says
            yield json.loads(line)
        worker.stdin.close()


@pytest.mark.parametrize("cell", cells())
def test_one_job_is_paid_for_and_its_clip_comes_home(cell, outcomes):
    outcome = outcomes[cell]
    way, fault = cell.split("/")
    assert outcome["findings"] == [], outcome
    assert not outcome["key_told"], outcome
    assert outcome["spent_usd"] >= outcome["billed_usd"] - 1e-9, outcome
    assert outcome["jobs"] == (2 if fault in ENDING and way == "once" else 1), outcome
    assert outcome["kept"] is (fault not in BROKEN_FOR_GOOD), outcome
    if fault in BROKEN_FOR_GOOD:
        assert "paid for" in outcome["errors"][-1][1]
        assert outcome["again"] == 2
    if fault in NEVER_ACCEPTED:
        assert outcome["shortest_gap_s"] >= SHORT.request_life_s
