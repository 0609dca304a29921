"""The paid request: made once, and searched for instead of repeated when its reply is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress

from .entry import Entry, Receipt
from .errors import LedgerUnavailable, Money, ServiceProblem, SubmitUnknown, ViduError
from .progress import Phase
from .request import Endpoint, Request
from .retry import persistently
from .run import Run

SEARCH_EVERY_S = 5.0
REPLY_GRACE_S = 0.5
MOST_WRITE_TRIES = 4
WRITE_AGAIN_AFTER_S = 0.5

log = logging.getLogger(__name__)


async def upload_and_submit(run: Run, entry: Entry, request: Request) -> Entry:
    """Take an INTENDED row to SUBMITTED, or to UNKNOWN when no clear reply came.

    Raises:
        ViduError: Nothing was asked for, and the row is FAILED.
    """
    try:
        run.say(Phase.UPLOADING, "Uploading the first frame", 0.02)
        urls = [await run.platform.upload(still) for still in request.stills]
        run.say(Phase.SUBMITTING, "Asking for the clip", 0.08)
    except BaseException as error:
        run.ledger.failed(entry, _reason(error), billed=False)
        raise
    entry = run.ledger.posting(
        entry,
        request.arguments(urls),
        life_s=run.settings.request_life_s,
        account=run.platform.account,
    )
    post = asyncio.create_task(_post(run, entry, request.endpoint))
    try:
        return await asyncio.shield(post)
    except asyncio.CancelledError:
        # A moment for the reply under way: with it fal can be asked to cancel.
        with suppress(asyncio.CancelledError):  # impatience would leave it to nobody
            await asyncio.wait({post}, timeout=REPLY_GRACE_S)
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
        raise


async def search(run: Run, entry: Entry) -> Entry:
    """Take an UNKNOWN row to SUBMITTED, or to FAILED when the request can not be alive any more.

    Raises:
        SubmitUnknown: fal's listing can not be read, or not with this key, so nobody knows.
    """
    posted_at = entry.posted_at or entry.intended_at
    # From here on by a clock that nobody sets: a corrected time must not make a job look dead.
    posted_s = time.monotonic() - max(0.0, run.ledger.now() - posted_at)
    life_s = run.life_s(entry)
    while True:
        age_s = time.monotonic() - posted_s
        receipt = await _look(run, entry, posted_at)
        if receipt:
            run.say(Phase.SEARCHING, "Found the request at fal: going on with it", 0.1)
            return run.ledger.submitted(entry, receipt)
        if not run.sees(entry):
            raise SubmitUnknown(
                "The reply to the paid request was lost, it was made with another fal key, and "
                "this key's listing does not show it.",
                f"Set the key it was made with and run the same shot again. {run.anew(entry)}",
            )
        if age_s > life_s:
            anew = ": asking anew" if run.may_pay else ""
            run.warn(Phase.SEARCHING, f"The lost request never reached fal{anew}", 0.0)
            return run.ledger.failed(entry, "the request never reached fal", billed=False)
        run.say(Phase.SEARCHING, _search_words(age_s, life_s), 0.1)
        await asyncio.sleep(min(SEARCH_EVERY_S, max(0.2, life_s - age_s)))


async def _post(run: Run, entry: Entry, endpoint: Endpoint) -> Entry:
    try:
        receipt = await run.platform.submit(endpoint, entry.arguments or {})
    except SubmitUnknown as unknown:
        run.warn(Phase.SEARCHING, unknown.happened, 0.08)
        return entry
    except ViduError as error:
        run.ledger.failed(entry, _reason(error), billed=False)
        raise
    return await _written_down(run, entry, receipt)


async def _written_down(run: Run, entry: Entry, receipt: Receipt) -> Entry:
    # Worth more than one try: without its id the request has to be searched for.
    tries = 1
    while True:
        try:
            return run.ledger.submitted(entry, receipt)
        except LedgerUnavailable as problem:
            problem.money, problem.request_id = Money.PENDING, receipt.request_id
            log.error("Request %s could not be written down.", receipt.request_id)
            if tries == MOST_WRITE_TRIES:
                raise
        tries += 1
        await asyncio.sleep(WRITE_AGAIN_AFTER_S)


async def _look(run: Run, entry: Entry, posted_at: float) -> Receipt | None:
    try:
        return await persistently(
            lambda: run.platform.find(entry.endpoint, entry.arguments or {}, posted_at),
            patience_s=float(run.settings.outage_limit_s),
        )
    except ServiceProblem as problem:
        raise SubmitUnknown(
            "The reply to the paid request was lost, and fal's listing of requests can not be "
            f"read: {problem.happened} The request is not repeated on its own.",
            "Look at fal.ai/dashboard/requests and run the same shot again later. "
            + run.anew(entry),
        ) from problem


def _reason(error: BaseException) -> str:
    return error.happened if isinstance(error, ViduError) else "stopped before it was asked for"


def _search_words(elapsed_s: float, life_s: float) -> str:
    return (
        "The reply to the paid request was lost: looking for it at fal instead of paying twice "
        f"(minute {elapsed_s / 60:.0f} of at most {life_s / 60:.0f})"
    )
