"""From SUBMITTED to FINISHED: asking once a second, and always fetching the result."""

from __future__ import annotations

import asyncio

from ..errors import (
    ApiStatusError,
    Charge,
    GenerationCancelledError,
    GenerationError,
    GenerationTimeoutError,
    QueueTimeoutError,
)
from ..models import Entry, State
from ..progress import generating, queued
from ..provider import Completed, Queued, Running
from ..stopwatch import Stopwatch
from .cancel import cancel_if_user_did
from .context import Context
from .history import recover_from_history

POLL_EVERY_S = 1.02
"""From an answer to the next question: fal is asked no more than once a second."""


async def poll(context: Context, entry: Entry) -> Entry:
    """Move a SUBMITTED or CANCELLED row to FINISHED; to FAILED when it was cancelled indeed.

    Raises:
        QueueTimeoutError: It waited for longer than the limit; the row stays.
        GenerationTimeoutError: It took longer than the limit; the row stays.
        GenerationError: It ended with an error; the row is FAILED.
        ViduError: fal could not be asked; the row stays.
    """
    try:
        completed, was_running = await _poll_until_completed(context, entry)
        return await _collect(context, entry, completed, was_running)
    except ApiStatusError as problem:
        if problem.status_code != 404:
            raise
        return await recover_from_history(context, entry)
    except asyncio.CancelledError:
        await cancel_if_user_did(context, entry)
        raise


async def _poll_until_completed(context: Context, entry: Entry) -> tuple[Completed, bool]:
    """Return the last status, and whether the request was ever seen to run."""
    assert entry.handle is not None
    queue, generation = Stopwatch(), None
    while True:
        status = await context.provider.status(entry.handle)
        if isinstance(status, Completed):
            return status, generation is not None
        if isinstance(status, Running):
            generation = generation or Stopwatch()
            _check_generation(context, entry, generation.elapsed_s())
        if isinstance(status, Queued):
            _check_queue(context, entry, status, queue.elapsed_s())
        await asyncio.sleep(POLL_EVERY_S)


def _check_queue(context: Context, entry: Entry, status: Queued, elapsed_s: float) -> None:
    context.notify(queued(status.position, elapsed_s))
    if elapsed_s > context.settings.queue_limit_s:
        raise QueueTimeoutError(
            f"The request has waited for {elapsed_s:.0f} s in fal's queue.",
            request_id=entry.request_id,
        )


def _check_generation(context: Context, entry: Entry, elapsed_s: float) -> None:
    context.notify(generating(elapsed_s))
    if elapsed_s > context.settings.generation_limit_s:
        raise GenerationTimeoutError(
            f"The clip is not done after {elapsed_s:.0f} s.", request_id=entry.request_id
        )


async def _collect(
    context: Context, entry: Entry, completed: Completed, was_running: bool
) -> Entry:
    assert entry.handle is not None
    try:
        output = await context.provider.result(entry.handle, completed, was_running=was_running)
    except GenerationError as failure:
        failed = await context.ledger.mark_failed(entry, failure.message, billed=_billed(failure))
        if entry.state is State.CANCELLED and isinstance(failure, GenerationCancelledError):
            return failed  # as the user asked then; now the clip is wanted again
        raise
    return await context.ledger.mark_finished(entry, output)


def _billed(failure: GenerationError) -> bool | None:
    return {Charge.NOT_SPENT: False, Charge.CHARGED: True}.get(failure.charge)
