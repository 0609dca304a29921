"""A stopwatch that counts at most a minute of the time in which the machine slept."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_STEP_S = 60.0
"""The most that counts between two looks at the watch, in seconds."""


class Stopwatch:
    """Counts seconds of work, and passes over a closed lid.

    The monotonic clock counts the time of a suspended machine on Windows, and of a stopped process
    everywhere. Whoever waits looks at the watch again and again, so a long step between two looks
    most often means that nobody was there to wait. It may also be one slow call, or a wait that fal
    asked for: a long step counts as a minute, so that every wait has an end.

    Args:
        monotonic: The clock, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last_look = monotonic()
        self._elapsed_s = 0.0

    def elapsed_s(self) -> float:
        """Return the seconds counted since the start."""
        now = self._monotonic()
        self._elapsed_s += min(now - self._last_look, LONGEST_STEP_S)
        self._last_look = now
        return self._elapsed_s
