"""The search for a request whose reply was lost."""

from __future__ import annotations

import asyncio
import time

from ..errors import ServiceError, SubmissionUnknownError
from ..models import Entry, RequestHandle
from ..progress import Phase
from .context import Context
from .renew import Decision, Evidence, decide

SEARCH_EVERY_S = 5.0


async def search(context: Context, entry: Entry) -> Entry:
    """Move a SUBMITTING row to SUBMITTED, or to FAILED when the request never arrived.

    Raises:
        SubmissionUnknownError: fal's history cannot be read, or not with this key.
    """
    submitting_at = entry.submitting_at or entry.reserved_at
    # From here on by a clock that nobody sets: a corrected time must not make a job look dead.
    posted_s = time.monotonic() - max(0.0, context.ledger.now() - submitting_at)
    max_lifetime_s = context.max_lifetime_s(entry)
    while True:
        age_s = time.monotonic() - posted_s
        handle = await _look(context, entry)
        if handle:
            context.report(Phase.SEARCHING, "Found the request at fal: going on with it", 0.1)
            return await context.ledger.mark_submitted(entry, handle)
        decision = decide(
            entry.state,
            Evidence.ABSENT,
            same_account=context.same_account(entry),
            lifetime_is_over=age_s > max_lifetime_s,
        )
        if decision is Decision.ASK:
            raise SubmissionUnknownError(
                "The reply to the paid request was lost, it was made with another fal key, and "
                "this key's history does not show it.",
                "Set the key it was made with and run the same shot again. "
                f"{context.regenerate_hint(entry)}",
            )
        if decision is Decision.PAY:
            again = ": making a new one" if context.request else ""
            context.warn(Phase.SEARCHING, f"The lost request never reached fal{again}", 0.0)
            failure = "the request never reached fal"
            return await context.ledger.mark_failed(entry, failure, billed=False)
        context.report(Phase.SEARCHING, _search_words(age_s, max_lifetime_s), 0.1)
        await asyncio.sleep(min(SEARCH_EVERY_S, max(0.2, max_lifetime_s - age_s)))


async def _look(context: Context, entry: Entry) -> RequestHandle | None:
    known = {row.request_id for row in await context.ledger.entries()}

    async def is_known(request_id: str) -> bool:
        return request_id in known

    try:
        return await context.provider.find_lost_request(
            entry.endpoint, entry.arguments or {}, None, is_known=is_known
        )
    except ServiceError as problem:
        raise SubmissionUnknownError(
            "The reply to the paid request was lost, and fal's history of requests cannot be "
            f"read: {problem.message} The pack does not repeat the request.",
            "Look at fal.ai/dashboard/requests and run the same shot again later. "
            + context.regenerate_hint(entry),
        ) from problem


def _search_words(elapsed_s: float, max_lifetime_s: float) -> str:
    return (
        "The reply to the paid request was lost: looking for it at fal instead of paying twice "
        f"(minute {elapsed_s / 60:.0f} of at most {max_lifetime_s / 60:.0f})"
    )
