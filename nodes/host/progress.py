"""The progress of a node: one line for each of its shots, and one bar for all."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from typing import Any

from ...vidu.models import Entry
from ...vidu.progress import Progress, ProgressCallback
from ...vidu.request import Request

log = logging.getLogger(__name__)

PROMPT_SHOWN = 120
"""As many characters of a prompt go to the library with each moment of its shot."""

LINE_END = "  \n"
"""Nodes 2.0 shows a node's text as Markdown, where two spaces are what breaks a line."""

_FOREIGN = re.compile(r"[^\w $,.:()/%+-]|_")


def escape(text: str) -> str:
    """Return text that the editor shows as it is written.

    A node's text is HTML in the classic rendering and Markdown in Nodes 2.0, and fal's words are
    in it: a numeric entity is the character itself in both, and never markup.
    """
    return _FOREIGN.sub(lambda match: f"&#{ord(match[0])};", text)


class NodeProgress:
    """The newest moment of each of several shots.

    Args:
        shots: The shots being generated or downloaded again.
    """

    def __init__(self, shots: Sequence[Request | Entry]) -> None:
        self._shots = shots
        self._moments: list[Progress | None] = [None] * len(shots)
        self._warnings: list[str] = []
        self._changed = False
        self._began_at = time.monotonic()

    def callback_for(self, index: int) -> ProgressCallback:
        """Return the progress callback for the shot at `index`."""

        def on_progress(moment: Progress) -> None:
            self._moments[index] = moment
            self._changed = True
            if moment.warning:
                log.warning("Vidu: %s", moment.text)
                several = len(self._shots) > 1
                self._warnings.append(f"{index + 1}: {moment.text}" if several else moment.text)

        return on_progress

    def pop_changed(self) -> bool:
        """Return whether anything changed since the last call, and reset the flag."""
        changed, self._changed = self._changed, False
        return changed

    def pop_warnings(self) -> list[str]:
        """Return the warnings that were told since the last time this was asked."""
        warnings, self._warnings = self._warnings, []
        return warnings

    def render(self) -> tuple[float, str]:
        """Return how much of the whole is done, 0..1, and the lines to show."""
        told = [(number, moment) for number, moment in enumerate(self._moments, 1) if moment]
        fraction = sum(moment.fraction for _, moment in told) / len(self._moments)
        if len(self._moments) == 1:
            return fraction, escape(told[0][1].text) if told else ""
        return fraction, LINE_END.join(
            f"{number}: {escape(moment.text)}" for number, moment in told
        )

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The shots, in order."""
        return tuple(shot.fingerprint for shot in self._shots)

    def jobs(self) -> list[dict[str, Any]]:
        """Return each shot with its newest moment, as the library shows it."""
        elapsed_s = time.monotonic() - self._began_at
        return [
            {
                "fingerprint": shot.fingerprint,
                "prompt": shot.prompt[:PROMPT_SHOWN],
                "seed": shot.seed,
                "phase": moment.phase.value,
                "text": moment.text,
                "fraction": moment.fraction,
                "elapsed_s": round(elapsed_s),
            }
            for shot, moment in zip(self._shots, self._moments, strict=True)
            if moment
        ]
