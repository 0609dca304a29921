"""fal's history of requests, asked where fal no longer serves a request or its clip."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import (
    ApiStatusError,
    Charge,
    ClipGoneError,
    GenerationCancelledError,
    GenerationError,
    UnreadableResponseError,
)
from ..models import Entry, Output, State
from .context import Context
from .renew import Decision, Evidence, decide

BILLED_BY_CHARGE: Mapping[Charge, bool] = MappingProxyType(
    {Charge.NOT_SPENT: False, Charge.CHARGED: True}
)
"""Whether fal billed a failed request; it is unknown for any other charge."""

REMOVED = "it was cancelled, and fal does not know it any more"


async def recover_from_history(context: Context, entry: Entry, *, has_ended: bool) -> Entry:
    """Move a row whose request fal answers 404 for to FINISHED, where fal's history has its output.

    Args:
        context: The run.
        entry: A row with a request.
        has_ended: Whether only its result is answered with 404, and its status says that it ended.

    Raises:
        GenerationError: The history tells why it ended, or the user had it cancelled and fal does
            not know it any more; the row is FAILED.
        ClipGoneError: The history does not have it.
    """
    try:
        output = await find_in_history(context, entry, Charge.MAYBE_SPENT)
    except GenerationError as failure:
        return await end_failed(context, entry, failure)
    if output:
        return await context.ledger.mark_finished(entry, output)
    same_account = context.same_account(entry)
    evidence = Evidence.ENDED if has_ended else Evidence.ABSENT
    if decide(entry.state, evidence, same_account=same_account) is Decision.END:
        await context.ledger.mark_failed(entry, REMOVED, billed=None)
        raise GenerationCancelledError(
            f"Request {entry.request_id} was cancelled, and fal does not know it any more.",
            "Run the same shot again to pay for a new clip, or change the seed. The price of the "
            "cancelled one stays in the sums, for fal may bill it.",
            charge=Charge.MAYBE_SPENT,
            request_id=entry.request_id,
        )
    check_account(context, entry, "fal does not know the request", Charge.MAYBE_SPENT)
    ended = f"fal says that request {entry.request_id} has ended, and does not have its result."
    raise ClipGoneError(
        ended if has_ended else f"fal does not know request {entry.request_id}.",
        f"Run the same shot again later. {context.regenerate_hint(entry)}",
        charge=Charge.MAYBE_SPENT,
        request_id=entry.request_id,
    )


async def end_failed(context: Context, entry: Entry, failure: GenerationError) -> Entry:
    """Move a row to FAILED, and raise `failure` unless the user had asked for this end."""
    billed = BILLED_BY_CHARGE.get(failure.charge)
    failed = await context.ledger.mark_failed(entry, failure.message, billed=billed)
    if entry.state is State.CANCELLED and isinstance(failure, GenerationCancelledError):
        return failed  # now the clip is wanted again
    raise failure


async def find_in_history(context: Context, entry: Entry, charge: Charge) -> Output | None:
    """Return the output of the row's request, when fal's history has one.

    Args:
        context: The run.
        entry: A row with a request.
        charge: What became of the money, should the history be unreadable.

    Raises:
        GenerationError: The history shows that it ended with an error.
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
