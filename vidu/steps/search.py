"""The search for a request whose reply was lost."""

from __future__ import annotations

import asyncio

from ..errors import ServiceError, SubmissionUnknownError, UnreadableResponseError
from ..models import Entry, RequestHandle
from ..progress import Phase
from ..stopwatch import Stopwatch
from .cancel import warn_of_lost_request
from .context import Context
from .renew import Decision, Evidence, decide

SEARCH_EVERY_S = 5.0
DATE_RESOLUTION_S = 1.0
"""fal tells its time in whole seconds."""


async def search(context: Context, entry: Entry) -> Entry:
    """Move a SUBMITTING row to SUBMITTED, or to FAILED when the request never arrived.

    Raises:
        SubmissionUnknownError: fal's history cannot be read, or not with this key.
    """
    try:
        return await _search(context, entry)
    except asyncio.CancelledError:
        warn_of_lost_request(context)
        raise


async def _search(context: Context, entry: Entry) -> Entry:
    watch = Stopwatch()
    max_lifetime_s = entry.max_lifetime_s or context.settings.max_lifetime_s()
    while True:
        # Before fal is asked: only what it lacks after the longest life has never arrived.
        age_s = await _age_s(context, entry, watch)
        found = await _look(context, entry)
        if isinstance(found, RequestHandle):
            context.report(Phase.SEARCHING, "Found the request at fal: going on with it", 0.1)
            return await context.ledger.mark_submitted(entry, found)
        same_account = context.same_account(entry)
        decision = decide(
            entry.state,
            Evidence.UNCLEAR if found else Evidence.ABSENT,
            same_account=same_account,
            lifetime_is_over=age_s > max_lifetime_s,
        )
        if decision is Decision.ASK and found and same_account:
            raise _unreadable(context, entry, found) from found
        if decision is Decision.ASK:
            raise SubmissionUnknownError(
                "The reply to the paid request was lost, it was made with another fal key, and "
                "this key's history does not show it.",
                "Set the key it was made with and run the same shot again. "
                f"{context.regenerate_hint(entry)}",
            )
        if decision is Decision.PAY:
            context.warn(
                Phase.SEARCHING,
                "The lost request never reached fal: making a new one"
                if context.request
                else "The lost request never reached fal",
                0.0,
            )
            failure = "the request never reached fal"
            return await context.ledger.mark_failed(entry, failure, billed=False)
        context.report(Phase.SEARCHING, _search_words(age_s, max_lifetime_s), 0.1)
        await asyncio.sleep(min(SEARCH_EVERY_S, max(0.2, max_lifetime_s - age_s)))


async def _age_s(context: Context, entry: Entry, watch: Stopwatch) -> float:
    """Return how old the request is at least, in seconds.

    Any clock may be wrong, the ledger's and that of one of fal's servers. What both say has passed
    has passed, and so has the time in which this run has been looking.
    """
    now = await context.provider.server_time()
    if now is None or entry.submitting_server_time is None or entry.submitting_at is None:
        return watch.elapsed_s()
    by_fal = now - entry.submitting_server_time - DATE_RESOLUTION_S
    by_ledger = context.ledger.now() - entry.submitting_at
    return max(watch.elapsed_s(), min(by_fal, by_ledger))


def _earliest(entry: Entry) -> float | None:
    """Return when it was sent at the earliest, or None when fal did not tell its time."""
    times = (entry.submitting_server_time, entry.submitting_at)
    return None if times[0] is None else min(time for time in times if time is not None)


async def _look(context: Context, entry: Entry) -> RequestHandle | UnreadableResponseError | None:
    """Return the request; or why fal's history cannot tell; or None where it lacks the request."""

    async def is_known(request_id: str) -> bool:
        return await context.ledger.has_request(request_id)

    try:
        return await context.provider.find_lost_request(
            entry.endpoint,
            entry.arguments or {},
            entry.submitting_server_time,
            _earliest(entry),
            is_known=is_known,
        )
    except UnreadableResponseError as problem:
        if problem.retryable:
            raise _unreadable(context, entry, problem) from problem
        return problem
    except ServiceError as problem:
        raise _unreadable(context, entry, problem) from problem


def _unreadable(context: Context, entry: Entry, problem: ServiceError) -> SubmissionUnknownError:
    return SubmissionUnknownError(
        "The reply to the paid request was lost, and fal's history of requests cannot be "
        f"read: {problem.message} The pack does not repeat the request.",
        "Look at fal.ai/dashboard/requests and run the same shot again later. "
        + context.regenerate_hint(entry),
    )


def _search_words(elapsed_s: float, max_lifetime_s: float) -> str:
    return (
        "The reply to the paid request was lost: looking for it at fal instead of paying twice "
        f"(minute {elapsed_s / 60:.0f} of at most {max_lifetime_s / 60:.0f})"
    )
