"""Where histories of shots are played side by side, for most of each is waiting."""

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
PLAYER = Path(__file__).with_name("history.py")


class HistoryPool:
    """Processes that play histories, each with a fal of its own.

    Args:
        players: How many.
    """

    def __init__(self, players: int) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._players = [
            subprocess.Popen([sys.executable, PLAYER], env=environment, **pipes)
            for _ in range(players)
        ]
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        for player in self._players:
            self._idle.put(player)

    def __enter__(self) -> HistoryPool:
        return self

    def __exit__(self, *_: object) -> None:
        for player in self._players:
            player.communicate()

    def play(self, histories: Iterable[list[str]]) -> list[dict[str, Any]]:
        """Return what came of each history; see history.py."""
        with ThreadPoolExecutor(len(self._players)) as pool:
            return list(pool.map(self._played, histories))

    def _played(self, history: list[str]) -> dict[str, Any]:
        player = self._idle.get()
        print(json.dumps(history), file=player.stdin, flush=True)
        outcome = json.loads(player.stdout.readline() or '{"problems": ["the player fell"]}')
        self._idle.put(player)
        return outcome
