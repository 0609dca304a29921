"""fal's own time, whatever this machine's clock says."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx

CLOCKS_AGREE_S = 5.0
"""More between two clocks of this machine, in seconds, means that it slept or that one was set."""


class ServerClock:
    """fal's own time, from the Date header of its latest response and a clock nobody sets.

    Args:
        monotonic: Seconds since any moment.
        wall: Seconds since 1970 by this machine, which may be wrong; it shows that time passed
            which the other clock did not count, in sleep.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._read: tuple[float, float, float] | None = None

    def read(self, response: httpx.Response) -> None:
        """Set the clock by a response, unless a cache may have kept it."""
        if response.headers.get("age", "0").strip() != "0":
            return
        try:
            date = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, OverflowError, TypeError, ValueError):
            return
        self._read = (date, self._monotonic(), self._wall())

    def now(self) -> float | None:
        """Return seconds since 1970, or None before fal has told the time."""
        if self._read is None:
            return None
        date, read_at, _ = self._read
        return date + self._monotonic() - read_at

    def is_doubtful(self) -> bool:
        """Return whether fal has not told the time, or this machine's clocks disagree since."""
        if self._read is None:
            return True
        _, read_at, wall_at = self._read
        passed_s = self._monotonic() - read_at
        return abs(self._wall() - wall_at - passed_s) > CLOCKS_AGREE_S
