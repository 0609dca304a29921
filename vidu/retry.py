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

from .errors import RateLimited, Refused, ServiceProblem, Unreachable

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 15.0
LONGEST_RETRY_AFTER_S = 120.0
PASSING_STATUSES = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 522, 524})

T = TypeVar("T")


def passes(problem: ServiceProblem) -> bool:
    """Tell whether the same read may succeed later."""
    if isinstance(problem, Refused):
        return problem.status_code in PASSING_STATUSES
    return isinstance(problem, (Unreachable, RateLimited))


def delay_s(attempt: int, problem: ServiceProblem, chance: Callable[[], float]) -> float:
    """Return how long to wait before the next try, in seconds.

    Args:
        attempt: How many tries have failed, from 1.
        problem: Why the last one failed; a 429's Retry-After is honoured up to two minutes.
        chance: A source of numbers in 0..1, so that many shots do not return at once.
    """
    backoff = min(FIRST_DELAY_S * 2 ** float(min(attempt - 1, 10)), LONGEST_DELAY_S)
    asked_s = (problem.retry_after_s or 0.0) if isinstance(problem, RateLimited) else 0.0
    return max(backoff * (1 + 0.25 * chance()), min(asked_s, LONGEST_RETRY_AFTER_S))


async def persistently(
    read: Callable[[], Awaitable[T]],
    *,
    patience_s: float,
    chance: Callable[[], float] = random.random,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Try a read until it succeeds, fails for good, or has failed for `patience_s` seconds.

    Raises:
        ServiceProblem: The last failure.
    """
    started, attempt = clock(), 0
    while True:
        try:
            return await read()
        except ServiceProblem as problem:
            attempt += 1
            wait_s = delay_s(attempt, problem, chance)
            if not passes(problem) or clock() - started + wait_s > patience_s:
                raise
        await asyncio.sleep(wait_s)
