"""The paid request: made once, and searched for instead of repeated when its reply is lost."""

from __future__ import annotations

import asyncio

from .entry import Entry, Receipt
from .errors import LedgerUnavailable, Money, ServiceProblem, SubmitUnknown, ViduError
from .progress import Phase
from .request import ENDPOINTS, Request
from .retry import persistently
from .run import Run

SEARCH_EVERY_S = 5.0
REPLY_GRACE_S = 0.5


async def upload_and_submit(run: Run, entry: Entry, request: Request) -> Entry:
    """Take an INTENDED row to SUBMITTED, or to UNKNOWN when no clear reply came.

    Raises:
        ViduError: Nothing was asked for, and the row is FAILED.
    """
    run.say(Phase.UPLOADING, "Uploading the first frame", 0.02)
    try:
        urls = [await run.platform.upload(still) for still in request.stills]
    except (ViduError, asyncio.CancelledError) as error:
        run.ledger.failed(entry, _reason(error), billed=False)
        raise
    run.say(Phase.SUBMITTING, "Asking for the clip", 0.08)
    entry = run.ledger.posting(entry, request.arguments(urls))
    post = asyncio.create_task(_post(run, entry))
    try:
        return await asyncio.shield(post)
    except asyncio.CancelledError:
        # A moment for the reply under way: with it fal can be asked to cancel.
        await asyncio.wait({post}, timeout=REPLY_GRACE_S)
        post.cancel()
        await asyncio.gather(post, return_exceptions=True)
        raise


async def search(run: Run, entry: Entry) -> Entry:
    """Take an UNKNOWN row to SUBMITTED, or to FAILED when the request can not be alive any more.

    Raises:
        SubmitUnknown: fal's listing can not be read, so nobody knows.
    """
    posted_at = entry.posted_at or entry.intended_at
    # It may have arrived as late as the POST was waited for.
    life_s = run.settings.request_life_s
    life_s += min(float(run.settings.stall_limit_s), life_s / 10)
    while True:
        asked_at = run.ledger.now()
        receipt = await _look(run, entry, posted_at)
        if receipt:
            run.say(Phase.SEARCHING, "Found the request at fal: going on with it", 0.1)
            return run.ledger.submitted(entry, receipt)
        if asked_at > posted_at + life_s:
            run.warn(Phase.SEARCHING, "The lost request never reached fal: asking anew", 0.0)
            return run.ledger.failed(entry, "the request never reached fal", billed=False)
        run.say(Phase.SEARCHING, _search_words(asked_at - posted_at, life_s), 0.1)
        await asyncio.sleep(min(SEARCH_EVERY_S, max(0.2, posted_at + life_s - asked_at)))


async def _post(run: Run, entry: Entry) -> Entry:
    try:
        receipt = await run.platform.submit(ENDPOINTS[entry.endpoint], entry.arguments or {})
    except SubmitUnknown as unknown:
        run.warn(Phase.SEARCHING, unknown.happened, 0.08)
        return entry
    except ViduError as error:
        run.ledger.failed(entry, _reason(error), billed=False)
        raise
    try:
        return run.ledger.submitted(entry, receipt)
    except LedgerUnavailable as problem:
        problem.money = Money.PENDING
        raise


async def _look(run: Run, entry: Entry, posted_at: float) -> Receipt | None:
    endpoint = ENDPOINTS[entry.endpoint]
    try:
        return await persistently(
            lambda: run.platform.find(endpoint, entry.arguments or {}, posted_at),
            patience_s=float(run.settings.outage_limit_s),
        )
    except ServiceProblem as problem:
        raise SubmitUnknown(
            "The reply to the paid request was lost, and fal's listing of requests can not be "
            f"read: {problem.happened} The request is not repeated on its own.",
            "Look at fal.ai/dashboard/requests and run the same shot again later. To pay for it "
            f"anew on purpose, first run: {run.ledger.forget_command(entry)}",
        ) from problem


def _reason(error: BaseException) -> str:
    return error.happened if isinstance(error, ViduError) else "stopped before it was asked for"


def _search_words(elapsed_s: float, life_s: float) -> str:
    return (
        "The reply to the paid request was lost: looking for it at fal instead of paying twice "
        f"(minute {elapsed_s / 60:.0f} of at most {life_s / 60:.0f})"
    )
