"""The paid request: made exactly once."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping
from typing import Any

from ..errors import Charge, LedgerUnavailableError, SubmissionUnknownError, ViduError
from ..models import Entry, RequestHandle
from ..progress import Phase
from ..request import Request
from ..retry import retry
from ..threads import start_in_own_event_loop, wait_uncancelled
from .cancel import cancel_if_user_did, warn_of_lost_request
from .context import Context
from .send_gate import NotSentError, SendGate, SleptError

MOST_WRITES = 4
"""How often the ledger is asked to write a request's id."""

log = logging.getLogger(__name__)


async def submit(context: Context, entry: Entry) -> Entry:
    """Move a RESERVED row to SUBMITTED, or to SUBMITTING when no clear reply came.

    Once the POST is sent, its reply is awaited even if the task is cancelled: only with the reply
    can the request be resumed, or cancelled at fal.

    Raises:
        ViduError: Nothing was sent, and the row is FAILED; or the row could not be written, and
            the error names the request.
    """
    request = context.request
    if request is None:
        return await context.ledger.mark_unsent(entry, "its run ended before it was sent")
    try:
        arguments = await _upload(context, request)
        gate = SendGate(context, request, entry, arguments, await context.provider.server_time())
        context.report(Phase.SUBMITTING, "Submitting the request", 0.08)
    except BaseException as error:
        await _mark_unsent(context, entry, error)
        raise
    posting = start_in_own_event_loop(lambda: _post(context, request, gate))
    try:
        handle = await asyncio.shield(posting)
    except asyncio.CancelledError:
        gate.close()
        await _follow_and_cancel(context, gate, posting)
        raise
    except SleptError as slept:
        return await context.ledger.mark_unsent(gate.entry, str(slept))
    except SubmissionUnknownError as unknown:
        context.warn(Phase.SEARCHING, unknown.message, 0.08)
        return gate.entry
    except ViduError as error:
        await _mark_unsent(context, gate.entry, error)
        raise
    recording = start_in_own_event_loop(lambda: _record_submission(context, gate.entry, handle))
    try:
        return await asyncio.shield(recording)
    except SubmissionUnknownError as unknown:
        context.warn(Phase.SEARCHING, unknown.message, 0.08)
        return gate.entry
    except asyncio.CancelledError:
        await cancel_if_user_did(context, handle, recording)
        raise


async def _upload(context: Context, request: Request) -> Mapping[str, Any]:
    """Upload the media and return the body of the POST."""
    context.report(Phase.UPLOADING, "Uploading", 0.02)
    media = [(role, medium) for role, media in request.media.items() for medium in media]
    uploaded = await asyncio.gather(*(context.provider.upload(medium) for _, medium in media))
    urls: dict[str, list[str]] = {role: [] for role in request.media}
    for (role, _), url in zip(media, uploaded, strict=True):
        urls[role].append(url)
    arguments = dict(request.arguments(urls))
    if not request.media and not request.seed and context.provider.charges:
        # Without an upload nothing else tells a lost request from another with the same words.
        arguments["seed"] = context.draw_seed()
    return arguments


async def _post(context: Context, request: Request, gate: SendGate) -> RequestHandle:
    return await context.provider.submit(
        request.endpoint, gate.arguments, before_sending=gate.pass_through
    )


async def _follow_and_cancel(
    context: Context, gate: SendGate, posting: asyncio.Future[RequestHandle]
) -> None:
    await wait_uncancelled(posting)
    error = posting.exception()
    if error is None:
        handle = posting.result()
        recording = start_in_own_event_loop(lambda: _record_submission(context, gate.entry, handle))
        await cancel_if_user_did(context, handle, recording)
    elif isinstance(error, (NotSentError, ViduError)) and not isinstance(
        error, SubmissionUnknownError
    ):
        await _mark_unsent(context, gate.entry, error)
    else:
        warn_of_lost_request(context)


async def _record_submission(context: Context, entry: Entry, handle: RequestHandle) -> Entry:
    async def record() -> Entry:
        if await _is_of_other(context, entry, handle):
            # Written down, it would hide the request that was really made.
            raise SubmissionUnknownError(
                "The paid request got no clear response: it names the id of another one, "
                f"{handle.request_id}."
            )
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
        message = f"The ledger cannot note fal's request {handle.request_id}: {problem.message}"
        log.error(message)
        raise LedgerUnavailableError(
            message, problem.next_step, charge=Charge.PENDING, request_id=handle.request_id
        ) from problem


async def _is_of_other(context: Context, entry: Entry, handle: RequestHandle) -> bool:
    try:
        return await context.ledger.has_other_of_request(entry, handle.request_id)
    except LedgerUnavailableError:
        return False  # the id is written beside the ledger, whatever ails that


async def _mark_unsent(context: Context, entry: Entry, error: BaseException) -> None:
    try:
        await context.ledger.mark_unsent(entry, _reason(error))
    except LedgerUnavailableError as problem:
        # The next run of the shot ends the row; what is raised is why nothing was sent.
        log.warning("Entry %d could not be ended: %s", entry.id, problem.message)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, ViduError) else "stopped before it was sent"
