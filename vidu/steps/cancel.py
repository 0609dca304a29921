"""A request cancelled at fal because the user cancelled the run."""

from __future__ import annotations

import asyncio
import logging

from ..errors import SubmissionUnknownError, ViduError
from ..models import Entry, RequestHandle
from ..progress import Phase
from ..provider import CancelReply
from ..threads import start_in_own_event_loop, wait_uncancelled
from .context import Context

RECORDING_TIMEOUT_S = 1.0
"""How long a cancel waits for the ledger, which knows whether the request is another shot's."""

log = logging.getLogger(__name__)


async def cancel_if_user_did(
    context: Context, handle: RequestHandle, recording: asyncio.Future[Entry]
) -> None:
    """Cancel a request at fal, unless it is a shutdown that stops the run.

    fal is asked within a second, whatever the ledger does meanwhile, and a further cancel stops
    nothing. A request that the ledger has as another shot's is left alone.

    Args:
        context: The run.
        handle: The request.
        recording: Gives its SUBMITTED or CANCELLED row, when the ledger has it; it raises
            `SubmissionUnknownError` when the request is another shot's.
    """
    if not context.is_cancelled_by_user():
        await wait_uncancelled(recording)
        return
    await wait_uncancelled(recording, RECORDING_TIMEOUT_S)
    if recording.done() and isinstance(recording.exception(), SubmissionUnknownError):
        warn_of_lost_request(context)
        return
    asking = start_in_own_event_loop(lambda: _ask(context, handle))
    await wait_uncancelled(asking)
    await wait_uncancelled(recording)
    if recording.exception() is None:
        reply = None if asking.exception() else asking.result()
        noting = start_in_own_event_loop(lambda: _note(context, recording.result(), reply))
        await wait_uncancelled(noting)
    why = _why_not(asking, handle)
    if why:
        context.warn(
            Phase.DONE,
            f"Request {handle.request_id} could not be cancelled at fal, which may finish it and "
            f"charge for it: {why} Run the same shot again to get its clip.",
            1.0,
        )


def _why_not(asking: asyncio.Future[CancelReply], handle: RequestHandle) -> str:
    """Return why fal does not cancel the request, or "" when it does or the request is over."""
    problem = asking.exception()
    if problem:
        return problem.message if isinstance(problem, ViduError) else f"{problem!r}."
    is_unknown = asking.result() is CancelReply.NOT_FOUND
    return f"fal does not know request {handle.request_id}." if is_unknown else ""


def warn_of_lost_request(context: Context) -> None:
    """Report that a request cannot be cancelled because its reply was lost, if the user cancels."""
    if context.is_cancelled_by_user():
        context.warn(
            Phase.DONE,
            "fal's reply to the paid request was lost, so it could not be cancelled and may be "
            "charged. Run the same shot again to look for it.",
            1.0,
        )


async def _ask(context: Context, handle: RequestHandle) -> CancelReply:
    return context.provider.cancel(handle)  # blocks this thread, which is its own


async def _note(context: Context, entry: Entry, reply: CancelReply | None) -> None:
    try:
        if reply is CancelReply.REMOVED:
            reason = "it was cancelled before fal began with it"
            await context.ledger.mark_failed(entry, reason, billed=False)
        elif reply is CancelReply.REQUESTED:
            # The next run of the shot asks what became of it.
            await context.ledger.mark_cancelled(entry)
        # No other reply shows that fal cancels it: the row stays as it is, for it may be billed.
    except ViduError as problem:
        log.warning("The ledger does not note a cancel: %s", problem.message)
