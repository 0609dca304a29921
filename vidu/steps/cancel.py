"""A request cancelled at fal because the user cancelled the run."""

from __future__ import annotations

import asyncio
import logging

from ..errors import ViduError
from ..models import Entry
from ..progress import Phase
from ..threads import wait_uncancelled
from .context import Context

log = logging.getLogger(__name__)


async def cancel_if_user_did(context: Context, entry: Entry) -> None:
    """Cancel the request of a SUBMITTED row at fal, unless a shutdown stops the run.

    It goes on to its end although the task is cancelled again.
    """
    if context.cancelled_by_user is not None and context.cancelled_by_user():
        await wait_uncancelled(asyncio.ensure_future(_cancel(context, entry)))


async def _cancel(context: Context, entry: Entry) -> None:
    assert entry.handle is not None
    try:
        # Written first, so that the next run asks what became of it.
        await context.ledger.mark_cancelled(entry)
    except ViduError as problem:
        log.warning("The ledger does not note a cancel: %s", problem.message)
    try:
        await asyncio.to_thread(context.provider.cancel, entry.handle)
    except ViduError as problem:
        context.warn(
            Phase.DONE,
            f"Request {entry.request_id} could not be cancelled at fal, which may finish it and "
            f"charge for it: {problem.message} Run the same shot again to get its clip.",
            1.0,
        )


def warn_of_lost_request(context: Context) -> None:
    """Report that a request cannot be cancelled because its reply was lost, if the user cancels."""
    if context.cancelled_by_user is not None and context.cancelled_by_user():
        context.warn(
            Phase.DONE,
            "fal's reply to the paid request was lost, so it could not be cancelled and may be "
            "charged. Run the same shot again to look for it.",
            1.0,
        )
