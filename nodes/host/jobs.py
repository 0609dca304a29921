"""The shots that run in this server right now, and which shots the last prompts ran."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from .progress import NodeProgress

REMEMBERED_RUNS = 200
"""Nodes of past prompts whose shots are still known, to say what became of them after Cancel."""


@dataclass(frozen=True)
class NodeRun:
    """One node of one prompt, as the host names them; both None where no prompt runs."""

    prompt_id: str | None = None
    node_id: str | None = None


@dataclass(frozen=True)
class EndedRun:
    """A node that ran, and the fingerprints of its shots in order."""

    run: NodeRun
    fingerprints: tuple[str, ...]


class Jobs:
    """All shots of this server, by the node that runs them."""

    def __init__(self) -> None:
        self._current: dict[NodeProgress, NodeRun] = {}
        self._ended: deque[EndedRun] = deque(maxlen=REMEMBERED_RUNS)

    def begin(self, display: NodeProgress, run: NodeRun) -> None:
        """List the display's shots."""
        self._current[display] = run

    def end(self, display: NodeProgress) -> None:
        """Take the display's shots off the list, and remember them."""
        run = self._current.pop(display)
        self._ended.append(EndedRun(run, display.fingerprints))

    def current(self) -> list[dict[str, Any]]:
        """Return each running shot with its newest moment, as the library shows it."""
        return [
            {**job, "prompt_id": run.prompt_id, "node_id": run.node_id}
            for display, run in list(self._current.items())
            for job in display.jobs()
        ]

    def is_running(self, prompt_id: str) -> bool:
        """Return whether a node of this prompt still runs."""
        return any(run.prompt_id == prompt_id for run in list(self._current.values()))

    def ended(self, prompt_id: str) -> list[EndedRun]:
        """Return the nodes of a prompt that have ended."""
        return [ended for ended in list(self._ended) if ended.run.prompt_id == prompt_id]
