"""The generation of one shot: reserve, upload, submit, poll, retrieve."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from decimal import Decimal

from .destination import Destination
from .errors import Charge, GenerationError, LedgerUnavailableError
from .ledger import Budget, Ledger
from .media.video import Check, check
from .models import Clip, Entry, State
from .progress import Phase, ProgressCallback
from .provider import Provider
from .request import Request
from .settings import Settings
from .steps.advance import advance
from .steps.charge import charge_of_entry
from .steps.context import Context, report_waiting
from .steps.renew import Decision, decide

log = logging.getLogger(__name__)


async def generate(
    request: Request,
    provider: Provider,
    ledger: Ledger,
    destination: Destination,
    *,
    metadata: Mapping[str, str] | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    on_progress: ProgressCallback | None = None,
    cancelled_by_user: Callable[[], bool] | None = None,
    budget: Budget | None = None,
    check: Check = check,
) -> Clip:
    """Make one clip, or return the one that was already paid for.

    At most one paid request is made for one shot, whatever fails and however often this is called.
    Cancelling the task leaves a running request at fal for the next call to resume, unless
    `cancelled_by_user` then says yes: it is cancelled at fal, too.

    Args:
        request: The shot.
        provider: `Fal`, or `Draft` for a free local stand-in.
        ledger: Where paid work is written down before it is begun.
        destination: Where the clip is saved.
        metadata: Texts to carry inside the file, such as `workflow` and `prompt`.
        settings: Limits.
        on_progress: Called with each moment of progress.
        cancelled_by_user: Asked when the task is cancelled.
        budget: What the day and this run may cost; None is the daily budget of `settings`.
        check: Tells whether a downloaded clip is whole. A `ClipDecoder`'s keeps the frames that it
            decodes, so that nothing is decoded twice.

    Raises:
        ViduError: See the tree in `errors.py`.
    """
    # What costs nothing is measured by no budget.
    limits = (budget or Budget(settings.daily_budget_usd)) if provider.charges else Budget()
    seen = await ledger.newest(request.fingerprint)
    async with ledger.lock_shot(request.fingerprint, report_waiting(on_progress)):
        context = Context(
            provider=provider,
            ledger=ledger,
            destination=destination,
            metadata=metadata or {},
            settings=settings,
            request=request,
            on_progress=on_progress,
            cancelled_by_user=cancelled_by_user,
            check=check,
            budget=limits,
        )
        _check_failure_meanwhile(seen, await ledger.newest(request.fingerprint))
        return await _make_or_resume(context, request)


async def resume(
    entry: Entry,
    provider: Provider,
    ledger: Ledger,
    destination: Destination,
    *,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    on_progress: ProgressCallback | None = None,
    check: Check = check,
) -> Clip:
    """Return the clip of a row, downloaded from fal if need be; nothing is ever paid here.

    Args:
        entry: Its row, in whatever state.
        provider: The provider it was requested from.
        ledger: The ledger the row is in.
        destination: Where the clip is saved.
        settings: Limits.
        on_progress: Called with each moment of progress.
        check: Tells whether a downloaded clip is whole.

    Raises:
        GenerationError: There is no clip to download.
        ViduError: See the tree in `errors.py`.
    """
    async with ledger.lock_shot(entry.fingerprint, report_waiting(on_progress)):
        context = Context(
            provider=provider,
            ledger=ledger,
            destination=destination,
            metadata=await ledger.load_metadata(entry),
            settings=settings,
            request=None,
            on_progress=on_progress,
            check=check,
        )
        entry = await ledger.get(entry.id) or entry
        if entry.state is not State.FAILED:
            entry = await advance(context, entry)
    if entry.state is State.SAVED:
        return Clip.from_entry(entry)
    raise GenerationError(
        f"There is no clip to download: {entry.failure}",
        "Run the shot again to make it.",
        charge=charge_of_entry(entry),
    )


def _check_failure_meanwhile(seen: Entry | None, newest: Entry | None) -> None:
    """Raise `GenerationError` if the run that this one waited for failed and may have been billed.

    Only a user who knows of that decides to pay once more.
    """
    if newest is None or newest.state is not State.FAILED or newest.billed is False:
        return
    if seen is None or (seen.id, seen.state) != (newest.id, newest.state):
        raise GenerationError(
            f"Another run of this shot has failed just now: {newest.failure}",
            "Run the shot again to pay for a new clip.",
            charge=charge_of_entry(newest),
            request_id=newest.request_id or None,
        )


async def _make_or_resume(context: Context, request: Request) -> Clip:
    paid = False
    entry = await context.ledger.active(request.fingerprint)
    while True:
        if entry is None or decide(entry.state) is Decision.PAY:
            await asyncio.to_thread(context.destination.check)
            entry = await _reserve(context, request, entry)
            if entry.fingerprint != request.fingerprint:
                try:
                    return await _share_clip(context, entry)
                except GenerationError as failure:
                    if failure.charge is not Charge.NOT_SPENT:
                        raise
                    entry = None  # it came to nothing, and this shot is not its like
                    continue
            # What another ledger had paid for comes as it is there, not RESERVED.
            paid = entry.state is State.RESERVED
        entry = await advance(context, entry)
        if entry.state is State.SAVED:
            cost_usd = entry.price_usd if paid and context.provider.charges else Decimal(0)
            return Clip.from_entry(entry, cost_usd=cost_usd, reused=not paid)


async def _share_clip(context: Context, entry: Entry) -> Clip:
    """Return the clip of the same picture read by another decoder, free."""
    context.warn(
        Phase.WAITING,
        "The same picture, read by another decoder: its clip is used again, free. Change the seed "
        "for a new clip.",
        0.0,
    )
    return await resume(
        entry,
        context.provider,
        context.ledger,
        context.destination,
        settings=context.settings,
        on_progress=context.on_progress,
        check=context.check,
    )


async def _reserve(context: Context, request: Request, previous: Entry | None) -> Entry:
    ledger = context.ledger
    if previous and previous.state is State.RESERVED:  # the budget may have been spent since
        await ledger.mark_unsent(previous, "its run ended before it was sent")
    # The budget's day is fal's, for this machine's clock may be set; without one nobody has to ask.
    server_time = await context.provider.server_time() if context.budget.daily_usd else None
    entry = await ledger.reserve(request, context.budget, server_time)
    try:
        if context.metadata:
            await ledger.save_metadata(entry, context.metadata)
    except LedgerUnavailableError as problem:
        # No reason to go without the clip; were the disk full, the next step would say so.
        log.warning("A clip that has to be resumed will carry no workflow: %s", problem.message)
    return entry
