"""Processes that run histories of shots side by side, because most of a history is waiting."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class HistoryPool:
    """Worker processes, each with a local fal of its own.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._workers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.history"], env=environment, **pipes
            )
            for _ in range(workers)
        ]
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def __enter__(self) -> HistoryPool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.communicate()

    def run(self, histories: Iterable[list[str]]) -> list[dict[str, Any]]:
        """Run each history and return their outcomes; see history.py."""
        with ThreadPoolExecutor(len(self._workers)) as threads:
            return list(threads.map(self._run_one, histories))

    def _run_one(self, history: list[str]) -> dict[str, Any]:
        worker = self._idle.get()
        print(json.dumps(history), file=worker.stdin, flush=True)
        outcome = json.loads(worker.stdout.readline() or '{"problems": ["the worker ended"]}')
        self._idle.put(worker)
        return outcome
