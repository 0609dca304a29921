"""When a read that failed is tried again, and after how long.

Only reads are tried again here: status, result, listing, upload and download cost nothing.
The paid POST never comes through this file.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import ApiStatusError, ConnectionFailedError, RateLimitedError, ServiceError

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 15.0
LONGEST_RETRY_AFTER_S = 120.0
RETRYABLE_STATUS_CODES = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 522, 524})

T = TypeVar("T")


def is_retryable(problem: ServiceError) -> bool:
    """Return whether the same read may succeed later."""
    if isinstance(problem, ApiStatusError):
        return problem.status_code in RETRYABLE_STATUS_CODES
    return isinstance(problem, (ConnectionFailedError, RateLimitedError))


def delay_s(attempt: int, problem: ServiceError, rng: Callable[[], float]) -> float:
    """Return how long to wait before the next try, in seconds.

    Args:
        attempt: How many tries have failed, from 1.
        problem: Why the last one failed; a 429's Retry-After is honoured up to two minutes.
        rng: A source of numbers in 0..1, so that many shots do not return at once.
    """
    backoff = min(FIRST_DELAY_S * 2 ** float(min(attempt - 1, 10)), LONGEST_DELAY_S)
    asked_s = (problem.retry_after_s or 0.0) if isinstance(problem, RateLimitedError) else 0.0
    return max(backoff * (1 + 0.25 * rng()), min(asked_s, LONGEST_RETRY_AFTER_S))


async def retry(
    read: Callable[[], Awaitable[T]],
    *,
    timeout_s: float,
    rng: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Try a read until it succeeds, fails for good, or has failed for `timeout_s` seconds.

    Raises:
        ServiceError: The last failure.
    """
    started, attempt = clock(), 0
    while True:
        try:
            return await read()
        except ServiceError as problem:
            attempt += 1
            wait_s = delay_s(attempt, problem, rng)
            if not is_retryable(problem) or clock() - started + wait_s > timeout_s:
                raise
        await asyncio.sleep(wait_s)
