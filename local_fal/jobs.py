"""The job queue: which jobs wait, which run, how each ended."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from .responses import CannedResponse, infrastructure_error

LOGGER = logging.getLogger(__name__)
USER_TIMEOUT = {"X-Fal-Request-Timeout-Type": "user"}


@dataclass(eq=False)
class Job:
    """One accepted submit; all times are seconds since 1970.

    Args:
        request_id: A uuid.
        endpoint: The endpoint's id, as "fal-ai/vidu/image-to-video".
        input: The body of the submit.
        faults: What will go wrong with it.
        start_timeout_s: How long it may take until a runner begins, or None.
        keeps_payload: Whether the listing may show what it was given and made.
        user_agent: Which client submitted it.
    """

    request_id: str
    endpoint: str
    input: Any
    faults: frozenset[str]
    start_timeout_s: float | None = None
    keeps_payload: bool = True
    user_agent: str = ""
    state: str = "IN_QUEUE"
    response: CannedResponse | None = None
    price_usd: Decimal = Decimal(0)
    sent_at: float = field(default_factory=time.time)
    started_at: float | None = None
    ended_at: float | None = None
    media_sha256: dict[str, list[str]] = field(default_factory=dict)
    polls: list[float] = field(default_factory=list)
    cancels: int = 0
    results: int = 0

    @property
    def app(self) -> str:
        """Owner and app, all that the job's own URLs carry."""
        return "/".join(self.endpoint.split("/")[:2])

    @property
    def billed(self) -> bool:
        """Whether it costs: only successful output does."""
        return self.response is not None and self.response.status == 200

    @property
    def duration_s(self) -> float:
        """How long it ran, in seconds."""
        if self.started_at is None or self.ended_at is None:
            return 0.0
        return self.ended_at - self.started_at

    def entry(self) -> dict[str, Any]:
        """Return what the ledger shows of it."""
        shown = (
            "request_id",
            "endpoint",
            "input",
            "state",
            "user_agent",
            "sent_at",
            "started_at",
            "ended_at",
        )
        counted = ("media_sha256", "polls", "cancels", "results", "billed")
        return {
            **{name: getattr(self, name) for name in shown + counted},
            "status_code": self.response.status if self.response else None,
            "output": self.response.body if self.response else None,
            "price_usd": float(self.price_usd),
            "faults": sorted(self.faults),
        }


class JobQueue:
    """Every job since the start; jobs beyond the concurrency wait, first come first served.

    Args:
        run: Makes what a job asks for; returns what its result answers.
        concurrency: How many run at once.
    """

    def __init__(
        self, run: Callable[[Job], Coroutine[Any, Any, CannedResponse]], concurrency: int
    ) -> None:
        self._run = run
        self._concurrency = concurrency
        self._waiting: list[Job] = []
        self._running: dict[Job, asyncio.Task[CannedResponse]] = {}
        self.jobs: dict[str, Job] = {}
        self.most_running = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def accept(self, job: Job) -> None:
        """Take a job in; from here on it is money."""
        self.jobs[job.request_id] = job
        self._waiting.append(job)
        loop = asyncio.get_running_loop()
        if job.start_timeout_s is not None:
            loop.call_later(job.start_timeout_s, self._expire, job)
        loop.call_soon(self._dispatch)

    def position(self, job: Job) -> int:
        """Return how many are ahead of a waiting job."""
        return self._waiting.index(job)

    def cancel(self, job: Job) -> None:
        """Remove a waiting job; signal a running one, which may ignore it."""
        if job in self._waiting:
            self._waiting.remove(job)
            self._end(job, infrastructure_error("client_cancelled"))
        elif job in self._running and "cancel_ignored" not in job.faults:
            self._running[job].cancel()

    def clear(self) -> None:
        """Forget all jobs, and stop those that run."""
        self.jobs.clear()
        self._waiting.clear()
        self.most_running = 0
        for task in self._running.values():
            task.cancel()

    def _dispatch(self) -> None:
        for job in [job for job in self._waiting if "stuck_in_queue" not in job.faults]:
            if len(self._running) >= self._concurrency:
                return
            self._waiting.remove(job)
            job.state, job.started_at = "IN_PROGRESS", time.time()
            task = asyncio.create_task(self._run(job))
            self._running[job] = task
            self.most_running = max(self.most_running, len(self._running))
            task.add_done_callback(partial(self._finish, job))

    def _finish(self, job: Job, task: asyncio.Task[CannedResponse]) -> None:
        del self._running[job]
        self._end(job, _outcome(task))
        self._dispatch()

    def _expire(self, job: Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)
            self._end(job, infrastructure_error("request_timeout", **USER_TIMEOUT))

    def _end(self, job: Job, response: CannedResponse) -> None:
        job.state, job.response, job.ended_at = "COMPLETED", response, time.time()


def _outcome(task: asyncio.Task[CannedResponse]) -> CannedResponse:
    if task.cancelled():
        return infrastructure_error("client_cancelled")
    problem = task.exception()
    if problem is None:
        return task.result()
    LOGGER.error("the runner itself failed", exc_info=problem)
    return infrastructure_error("runner_server_error")
