"""From SUBMITTED to FINISHED: asking once a second, and always fetching the result."""

from __future__ import annotations

import asyncio
import time

from .entry import Entry, Receipt, State
from .errors import (
    GenerationCancelled,
    GenerationFailed,
    GenerationTimeout,
    Money,
    QueueTimeout,
    Refused,
)
from .fetch import forgotten
from .platform import Completed, JobStatus, Queued, Running
from .progress import generating, queued
from .retry import persistently
from .run import Run

YOUNG_S = 10.0
POLL_EVERY_S = 1.02
"""From an answer to the next question: fal is asked no more than once a second."""


async def watch(run: Run, entry: Entry) -> Entry:
    """Take a SUBMITTED or CANCELLED row to FINISHED; to FAILED when it was cancelled indeed.

    Raises:
        QueueTimeout: It waited for longer than the limit; the row stays.
        GenerationTimeout: It took longer than the limit; the row stays.
        GenerationFailed: It ended with an error; the row is FAILED.
        ViduError: fal could not be asked; the row stays.
    """
    try:
        return await _collect(run, entry, await _completed(run, entry))
    except Refused as problem:
        if problem.status_code != 404:
            raise
        return await forgotten(run, entry)


async def _completed(run: Run, entry: Entry) -> Completed:
    assert entry.receipt is not None
    receipt = entry.receipt
    queued_since, running_since = time.monotonic(), None
    while True:
        asked_at = time.monotonic()
        status = await _asked(run, entry, receipt)
        if isinstance(status, Completed):
            return status
        if isinstance(status, Running):
            running_since = running_since or asked_at
            _check_generation(run, entry, asked_at - running_since)
        if isinstance(status, Queued):
            _check_queue(run, entry, status, asked_at - queued_since)
        await asyncio.sleep(POLL_EVERY_S)


async def _asked(run: Run, entry: Entry, receipt: Receipt) -> JobStatus:
    while True:
        try:
            return await persistently(
                lambda: run.platform.status(receipt),
                patience_s=float(run.settings.outage_limit_s),
            )
        except Refused as problem:
            # Right after the submit, not every server of fal's knows the request yet.
            age_s = run.ledger.now() - (entry.submitted_at or 0)
            if problem.status_code != 404 or age_s > YOUNG_S:
                raise
            await asyncio.sleep(POLL_EVERY_S)


def _check_queue(run: Run, entry: Entry, status: Queued, elapsed_s: float) -> None:
    run.tell(queued(status.position, elapsed_s))
    if elapsed_s > run.settings.queue_limit_s:
        raise QueueTimeout(
            f"The request has waited for {elapsed_s:.0f} s in fal's queue.",
            request_id=entry.request_id,
        )


def _check_generation(run: Run, entry: Entry, elapsed_s: float) -> None:
    run.tell(generating(elapsed_s))
    if elapsed_s > run.settings.generation_limit_s:
        raise GenerationTimeout(
            f"The clip is not done after {elapsed_s:.0f} s.", request_id=entry.request_id
        )


async def _collect(run: Run, entry: Entry, status: Completed) -> Entry:
    assert entry.receipt is not None
    try:
        output = await run.platform.result(entry.receipt, failed=status.failed)
    except GenerationFailed as failure:
        failed = run.ledger.failed(entry, failure.happened, billed=_billed(failure))
        if entry.state is State.CANCELLED and isinstance(failure, GenerationCancelled):
            return failed  # as the artist asked then; now the clip is wanted again
        raise
    return run.ledger.finished(entry, output)


def _billed(failure: GenerationFailed) -> bool | None:
    return {Money.NOT_SPENT: False, Money.CHARGED: True}.get(failure.money)
