"""The paid request: made exactly once."""

from __future__ import annotations

import asyncio
import logging
import math

from ..errors import Charge, LedgerUnavailableError, SubmissionUnknownError, ViduError
from ..models import Entry, RequestHandle
from ..progress import Phase
from ..request import Request
from ..retry import retry
from ..threads import wait_uncancelled
from .cancel import cancel_if_user_did, warn_of_lost_request
from .context import Context

MOST_WRITES = 4
"""How often the ledger is asked to write a request's id."""

log = logging.getLogger(__name__)


async def submit(context: Context, entry: Entry) -> Entry:
    """Move a RESERVED row to SUBMITTED, or to SUBMITTING when no clear reply came.

    A POST that is under way is followed to its reply although the task is cancelled: only with the
    reply can the request be collected, or cancelled at fal.

    Raises:
        ViduError: Nothing was sent, and the row is FAILED; or the row could not be written, and
            the error names the request.
    """
    request = context.request
    if request is None:
        return await context.ledger.mark_unsent(entry, "its run ended before it was sent")
    try:
        context.report(Phase.UPLOADING, "Uploading", 0.02)
        urls = {
            role: [await context.provider.upload(medium) for medium in media]
            for role, media in request.media.items()
        }
        entry = await context.ledger.mark_submitting(
            entry,
            request.arguments(urls),
            max_lifetime_s=context.settings.max_lifetime_s,
            account=context.provider.account,
        )
        context.report(Phase.SUBMITTING, "Submitting the request", 0.08)
    except BaseException as error:
        await _mark_unsent(context, entry, error)
        raise
    posting = asyncio.ensure_future(_post(context, entry, request))
    try:
        return await asyncio.shield(posting)
    except asyncio.CancelledError:
        await wait_uncancelled(posting)
        if posting.exception() is None:
            await _cancel(context, posting.result())
        raise


async def _post(context: Context, entry: Entry, request: Request) -> Entry:
    try:
        handle = await context.provider.submit(request.endpoint, entry.arguments or {})
    except SubmissionUnknownError as unknown:
        context.warn(Phase.SEARCHING, unknown.message, 0.08)
        return entry
    except ViduError as error:
        await _mark_unsent(context, entry, error)
        raise
    return await _record_submission(context, entry, handle)


async def _cancel(context: Context, entry: Entry) -> None:
    if entry.handle:
        await cancel_if_user_did(context, entry)
    else:
        warn_of_lost_request(context)


async def _record_submission(context: Context, entry: Entry, handle: RequestHandle) -> Entry:
    async def record() -> Entry:
        return await context.ledger.mark_submitted(entry, handle)

    try:
        # Worth more than one try: without its id the request has to be searched for.
        return await retry(
            record,
            timeout_s=math.inf,
            attempts=MOST_WRITES,
            retry_if=lambda error: isinstance(error, LedgerUnavailableError),
            first_delay_s=0.5,
        )
    except LedgerUnavailableError as problem:
        log.error("Request %s could not be written down.", handle.request_id)
        raise problem.with_charge(Charge.PENDING, handle.request_id) from problem


async def _mark_unsent(context: Context, entry: Entry, error: BaseException) -> None:
    try:
        await context.ledger.mark_unsent(entry, _reason(error))
    except LedgerUnavailableError as problem:
        # The next run of the shot ends the row; what is raised is why nothing was sent.
        log.warning("Entry %d could not be ended: %s", entry.id, problem.message)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, ViduError) else "stopped before it was sent"
