"""The one place that retries: when, how often, and after how long.

Only calls that cost nothing come here: status, result, listing, upload, download, cancel. The paid
POST never does. An error says itself whether it is retryable.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import RateLimitedError, ViduError
from .stopwatch import Stopwatch

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 15.0
LONGEST_RETRY_AFTER_S = 120.0
T = TypeVar("T")


def is_retryable(error: ViduError) -> bool:
    """Return whether the error says that the same call may succeed later."""
    return error.retryable


async def retry(
    func: Callable[[], Awaitable[T]],
    *,
    timeout_s: float,
    attempts: int | None = None,
    retry_if: Callable[[ViduError], bool] = is_retryable,
    progress: Callable[[], object] | None = None,
    first_delay_s: float = FIRST_DELAY_S,
    rng: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Call `func` until it succeeds or there is no use in calling it again.

    Args:
        func: The call.
        timeout_s: How long to go on, in seconds; with 0 the first failure is the last.
        attempts: Most calls; None for no limit but the time.
        retry_if: Which errors are worth another call.
        progress: When its value has changed since the last failure, time and attempts start over.
        first_delay_s: Seconds before the second call; each further wait is twice as long.
        rng: A source of numbers in 0..1, so that many shots do not return at once.
        clock: Seconds; of the time in which the machine slept at most a minute counts.

    Raises:
        ViduError: The last failure.
    """
    state = _Attempts(timeout_s, attempts, retry_if, progress, first_delay_s, rng, clock)
    while True:
        try:
            return await func()
        except ViduError as error:
            wait_s = state.wait_after(error)
            if wait_s is None:
                raise
        await asyncio.sleep(wait_s)


def retry_blocking(
    func: Callable[[], T],
    *,
    timeout_s: float,
    first_delay_s: float = FIRST_DELAY_S,
    rng: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Do what `retry` does in a thread without an event loop."""
    state = _Attempts(timeout_s, None, is_retryable, None, first_delay_s, rng, clock)
    while True:
        try:
            return func()
        except ViduError as error:
            wait_s = state.wait_after(error)
            if wait_s is None:
                raise
        time.sleep(wait_s)


def delay_s(
    attempt: int,
    error: ViduError,
    rng: Callable[[], float],
    first_delay_s: float = FIRST_DELAY_S,
) -> float:
    """Return how long to wait before the next call, in seconds.

    Args:
        attempt: How many calls have failed, from 1.
        error: Why the last one failed; a 429's Retry-After is honored up to two minutes.
        rng: A source of numbers in 0..1: up to a quarter of the wait is added by it.
        first_delay_s: The first wait in seconds.
    """
    backoff = min(first_delay_s * 2 ** float(min(attempt - 1, 10)), LONGEST_DELAY_S)
    asked_s = (error.retry_after_s or 0.0) if isinstance(error, RateLimitedError) else 0.0
    return max(backoff * (1 + 0.25 * rng()), min(asked_s, LONGEST_RETRY_AFTER_S))


class _Attempts:
    """What is left of the time and the attempts of one `retry`."""

    def __init__(
        self,
        timeout_s: float,
        attempts: int | None,
        retry_if: Callable[[ViduError], bool],
        progress: Callable[[], object] | None,
        first_delay_s: float,
        rng: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._retry_if = retry_if
        self._progress = progress
        self._first_delay_s = first_delay_s
        self._rng = rng
        self._clock = clock
        self._failures = 0
        self._stopwatch = Stopwatch(clock)
        self._seen = progress() if progress else None

    def wait_after(self, error: ViduError) -> float | None:
        """Return how long to wait before the next call, or None when this error is final."""
        if self._progress and self._progress() != self._seen:
            self._seen, self._failures = self._progress(), 0
            self._stopwatch = Stopwatch(self._clock)
        self._failures += 1
        wait_s = delay_s(self._failures, error, self._rng, self._first_delay_s)
        is_last = (
            self._failures == self._attempts
            or self._stopwatch.elapsed_s() + wait_s > self._timeout_s
        )
        return None if is_last or not self._retry_if(error) else wait_s
