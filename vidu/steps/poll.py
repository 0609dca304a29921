"""The step from SUBMITTED to FINISHED: a poll once a second, then the result."""

from __future__ import annotations

import asyncio

from ..errors import (
    ApiStatusError,
    GenerationError,
    GenerationTimeoutError,
    QueueTimeoutError,
)
from ..models import Entry, RequestHandle
from ..progress import Phase, generating, queued
from ..provider import Completed, Queued, Running
from ..stopwatch import Stopwatch
from .cancel import cancel_if_user_did
from .context import Context
from .history import end_failed, recover_from_history

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
    assert entry.handle is not None
    completed: Completed | None = None
    try:
        completed, may_have_run = await _poll_until_completed(context, entry, entry.handle)
        output = await context.provider.result(entry.handle, completed, may_have_run=may_have_run)
        return await context.ledger.mark_finished(entry, output)
    except GenerationError as failure:
        return await end_failed(context, entry, failure)
    except ApiStatusError as problem:
        if problem.status_code != 404:
            raise
        return await recover_from_history(context, entry, has_ended=completed is not None)
    except asyncio.CancelledError:
        if entry.host not in ("", context.ledger.host):
            _leave_running(context, entry)
            raise
        recorded = asyncio.get_running_loop().create_future()
        recorded.set_result(entry)
        await cancel_if_user_did(context, entry.handle, recorded)
        raise


def _leave_running(context: Context, entry: Entry) -> None:
    """Report that a request goes on, for only the machine that made it cancels it at fal."""
    if context.is_cancelled_by_user():
        context.warn(
            Phase.DONE,
            f"Request {entry.request_id} was made on {entry.host}, so this run does not cancel it: "
            "fal finishes it and charges for it. Run the same shot again to get its clip.",
            1.0,
        )


async def _poll_until_completed(
    context: Context, entry: Entry, handle: RequestHandle
) -> tuple[Completed, bool]:
    """Return how the request ended, and whether it may have run.

    What was over before this run looked may have run; what was seen in the queue, and never to run,
    has not.
    """
    waiting, generation, was_queued = Stopwatch(), None, False
    while True:
        status = await context.provider.status(handle)
        if isinstance(status, Completed):
            return status, generation is not None or not was_queued
        if isinstance(status, Running):
            generation = generation or Stopwatch()
            _check_generation(context, entry, generation.elapsed_s())
        if isinstance(status, Queued):
            was_queued = True
            _check_queue(context, entry, status, waiting.elapsed_s())
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
