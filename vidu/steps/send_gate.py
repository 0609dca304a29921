"""The gate before the paid POST: the request is written down, and may still be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..models import Entry
from ..request import Request
from .context import Context

LONGEST_PAUSE_S = 60.0
"""From fal's time of a request to its first byte; more means that the machine slept."""


class NotSentError(Exception):
    """The request was stopped before a byte of it left."""


class SleptError(NotSentError):
    """The machine slept between writing the request down and sending it."""


class SendGate:
    """Records a request once its connection is established, and decides whether it may be sent.

    Args:
        context: The run.
        request: The shot.
        entry: The RESERVED row.
        arguments: The body of the POST.
        server_time: fal's own time now, in seconds since 1970; None when it is unknown.
        clocks: The wall's and the monotonic clock: a machine that sleeps stops one of them.
    """

    def __init__(
        self,
        context: Context,
        request: Request,
        entry: Entry,
        arguments: Mapping[str, Any],
        server_time: float | None,
        clocks: tuple[Callable[[], float], Callable[[], float]] = (time.time, time.monotonic),
    ) -> None:
        self.entry = entry
        self._context = context
        self.arguments = arguments
        slowest_s = request.endpoint.max_generation_s(request.options)
        self._max_lifetime_s = context.settings.max_lifetime_s(slowest_s)
        self._server_time = server_time
        self._clocks = clocks
        self._opened_at = [clock() for clock in clocks]
        self._is_closed = threading.Event()  # the POST runs in a thread of its own

    def close(self) -> None:
        """Let nothing leave any more."""
        self._is_closed.set()

    async def pass_through(self) -> None:
        """Write the request down; called when all that is left to do is to send it.

        Raises:
            NotSentError: The gate was closed, or the machine has slept.
            BudgetExceededError: A new day has begun, and its budget does not hold the clip.
            LedgerUnavailableError: It could not be written down, or the lock of the shot is lost.
        """
        self._check()
        self.entry = await self._context.ledger.mark_submitting(
            self.entry,
            self.arguments,
            max_lifetime_s=self._max_lifetime_s,
            account=self._context.provider.account,
            server_time=self._now_at_server(),
            budget=self._context.budget,
        )
        # The write may have waited for others, long enough to lose the lock.
        await self._context.ledger.check_lock(self.entry)
        self._check()

    def _check(self) -> None:
        if self._is_closed.is_set():
            raise NotSentError("stopped before it was sent")
        if max(self._elapsed_s()) > LONGEST_PAUSE_S:
            raise SleptError("the machine slept before it was sent")

    def _elapsed_s(self) -> list[float]:
        return [
            abs(clock() - opened_at)
            for clock, opened_at in zip(self._clocks, self._opened_at, strict=True)
        ]

    def _now_at_server(self) -> float | None:
        return None if self._server_time is None else self._server_time + self._elapsed_s()[1]
