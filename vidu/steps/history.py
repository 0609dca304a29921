"""fal's history of requests, asked where fal no longer serves a request or its clip."""

from __future__ import annotations

from ..errors import ApiStatusError, Charge, ClipGoneError, UnreadableResponseError
from ..models import Entry, Output
from .context import Context
from .renew import Decision, Evidence, decide

REMOVED = "the request was cancelled and removed at fal"


async def recover_from_history(context: Context, entry: Entry) -> Entry:
    """Move a row whose request fal answers 404 for to FINISHED, or to FAILED when it has ended.

    Raises:
        ClipGoneError: The history does not have it.
    """
    output = await find_in_history(context, entry, Charge.MAYBE_SPENT)
    if output:
        return await context.ledger.mark_finished(entry, output)
    same_account = context.same_account(entry)
    if decide(entry.state, Evidence.ABSENT, same_account=same_account) is Decision.PAY:
        return await context.ledger.mark_failed(entry, REMOVED, billed=None)
    check_account(context, entry, "fal does not know the request", Charge.MAYBE_SPENT)
    raise ClipGoneError(
        f"fal does not know request {entry.request_id}.",
        f"Run the same shot again later. {context.regenerate_hint(entry)}",
        charge=Charge.MAYBE_SPENT,
        request_id=entry.request_id,
    )


async def find_in_history(context: Context, entry: Entry, charge: Charge) -> Output | None:
    """Return the output of the row's request, when fal's history has one.

    Args:
        context: The run.
        entry: A row with a request.
        charge: What became of the money, should the history be unreadable.

    Raises:
        ClipGoneError: The history cannot be read.
    """
    assert entry.handle is not None
    try:
        return await context.provider.find_output(entry.endpoint, entry.handle)
    except (ApiStatusError, UnreadableResponseError) as problem:
        raise ClipGoneError(
            f"fal no longer serves request {entry.request_id}, and its history of requests, which "
            f"may have the clip, cannot be read: {problem.message}",
            f"Run the same shot again later. {context.regenerate_hint(entry)}",
            charge=charge,
        ) from problem


def check_account(context: Context, entry: Entry, what: str, charge: Charge) -> None:
    """Raise `ClipGoneError` when fal was asked with another key than the row was made with."""
    if not context.same_account(entry):
        raise ClipGoneError(
            f"{what}, when asked with this key; request {entry.request_id} was made with another.",
            f"Set the key it was made with and run the same shot again. "
            f"{context.regenerate_hint(entry)}",
            charge=charge,
        )
