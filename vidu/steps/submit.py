"""The paid request: made once, and searched for instead of repeated when its reply is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from ..endpoint import Endpoint
from ..errors import Charge, LedgerUnavailableError, ServiceError, SubmissionUnknownError, ViduError
from ..models import Entry, RequestHandle
from ..progress import Phase
from ..request import Request
from ..retry import retry
from .context import Context

SEARCH_EVERY_S = 5.0
REPLY_GRACE_S = 0.5
MOST_WRITE_TRIES = 4
WRITE_AGAIN_AFTER_S = 0.5

log = logging.getLogger(__name__)


async def upload_and_submit(context: Context, entry: Entry, request: Request) -> Entry:
    """Move a RESERVED row to SUBMITTED, or to SUBMITTING when no clear reply came.

    Raises:
        ViduError: Nothing was asked for, and the row is FAILED.
    """
    try:
        context.report(Phase.UPLOADING, "Uploading", 0.02)
        urls = {
            role: [await context.provider.upload(medium) for medium in media]
            for role, media in request.media.items()
        }
        context.report(Phase.SUBMITTING, "Asking for the clip", 0.08)
    except BaseException as error:
        context.ledger.mark_failed(entry, _reason(error), billed=False)
        raise
    entry = context.ledger.mark_submitting(
        entry,
        request.arguments(urls),
        max_lifetime_s=context.settings.max_lifetime_s,
        account=context.provider.account,
    )
    post = asyncio.create_task(_post(context, entry, request.endpoint))
    try:
        return await asyncio.shield(post)
    except asyncio.CancelledError:
        # A moment for the reply under way: with it fal can be asked to cancel.
        with suppress(asyncio.CancelledError):  # impatience would leave it to nobody
            await asyncio.wait({post}, timeout=REPLY_GRACE_S)
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
        raise


async def search(context: Context, entry: Entry) -> Entry:
    """Move a SUBMITTING row to SUBMITTED, or to FAILED when the request cannot be alive any more.

    Raises:
        SubmissionUnknownError: fal's listing cannot be read, or not with this key, so nobody knows.
    """
    submitting_at = entry.submitting_at or entry.reserved_at
    # From here on by a clock that nobody sets: a corrected time must not make a job look dead.
    posted_s = time.monotonic() - max(0.0, context.ledger.now() - submitting_at)
    max_lifetime_s = context.max_lifetime_s(entry)
    while True:
        age_s = time.monotonic() - posted_s
        handle = await _look(context, entry, submitting_at)
        if handle:
            context.report(Phase.SEARCHING, "Found the request at fal: going on with it", 0.1)
            return context.ledger.mark_submitted(entry, handle)
        if not context.same_account(entry):
            raise SubmissionUnknownError(
                "The reply to the paid request was lost, it was made with another fal key, and "
                "this key's listing does not show it.",
                "Set the key it was made with and run the same shot again. "
                f"{context.regenerate_hint(entry)}",
            )
        if age_s > max_lifetime_s:
            anew = ": asking anew" if context.may_pay else ""
            context.warn(Phase.SEARCHING, f"The lost request never reached fal{anew}", 0.0)
            return context.ledger.mark_failed(entry, "the request never reached fal", billed=False)
        context.report(Phase.SEARCHING, _search_words(age_s, max_lifetime_s), 0.1)
        await asyncio.sleep(min(SEARCH_EVERY_S, max(0.2, max_lifetime_s - age_s)))


async def _post(context: Context, entry: Entry, endpoint: Endpoint) -> Entry:
    try:
        handle = await context.provider.submit(endpoint, entry.arguments or {})
    except SubmissionUnknownError as unknown:
        context.warn(Phase.SEARCHING, unknown.message, 0.08)
        return entry
    except ViduError as error:
        context.ledger.mark_failed(entry, _reason(error), billed=False)
        raise
    return await _record_submission(context, entry, handle)


async def _record_submission(context: Context, entry: Entry, handle: RequestHandle) -> Entry:
    # Worth more than one try: without its id the request has to be searched for.
    tries = 1
    while True:
        try:
            return context.ledger.mark_submitted(entry, handle)
        except LedgerUnavailableError as problem:
            problem.charge, problem.request_id = Charge.PENDING, handle.request_id
            log.error("Request %s could not be written down.", handle.request_id)
            if tries == MOST_WRITE_TRIES:
                raise
        tries += 1
        await asyncio.sleep(WRITE_AGAIN_AFTER_S)


async def _look(context: Context, entry: Entry, submitting_at: float) -> RequestHandle | None:
    try:
        return await retry(
            lambda: context.provider.find_lost_request(
                entry.endpoint, entry.arguments or {}, submitting_at
            ),
            timeout_s=float(context.settings.retry_timeout_s),
        )
    except ServiceError as problem:
        raise SubmissionUnknownError(
            "The reply to the paid request was lost, and fal's listing of requests cannot be "
            f"read: {problem.message} The request is not repeated on its own.",
            "Look at fal.ai/dashboard/requests and run the same shot again later. "
            + context.regenerate_hint(entry),
        ) from problem


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, ViduError) else "stopped before it was asked for"


def _search_words(elapsed_s: float, max_lifetime_s: float) -> str:
    return (
        "The reply to the paid request was lost: looking for it at fal instead of paying twice "
        f"(minute {elapsed_s / 60:.0f} of at most {max_lifetime_s / 60:.0f})"
    )
