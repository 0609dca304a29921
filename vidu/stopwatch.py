"""A stopwatch that does not count the time in which the machine slept."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_STEP_S = 60.0
"""More than lies between two looks at the watch while the program runs, in seconds."""


class Stopwatch:
    """Counts seconds of work, and passes over a closed lid.

    The monotonic clock counts the time of a suspended machine on Windows, and of a stopped process
    everywhere. Whoever waits looks at the watch again and again, so a long step between two looks
    means that nobody was there to wait: it counts as nothing.

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
        step_s = now - self._last_look
        self._last_look = now
        if step_s < LONGEST_STEP_S:
            self._elapsed_s += step_s
        return self._elapsed_s
