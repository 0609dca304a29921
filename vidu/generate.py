"""The whole story of one shot: claim, upload, submit, watch, fetch, keep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from .errors import (
    AccountLockedError,
    Charge,
    CredentialError,
    GenerationError,
    LedgerUnavailableError,
    ServiceError,
    UnexpectedError,
    ViduError,
)
from .ledger.ledger import Ledger
from .models import Entry, State
from .progress import ProgressCallback, silent
from .provider import Provider
from .request import Request
from .settings import Settings
from .steps.context import Context, Names
from .steps.poll import poll
from .steps.retrieve import is_intact, retrieve, verify_saved_file
from .steps.submit import search, upload_and_submit

log = logging.getLogger(__name__)

NO_VERDICT = (ServiceError, CredentialError, AccountLockedError, LedgerUnavailableError)
"""Errors that are not the request's own: what it costs does not depend on them."""

CHARGE_BY_STATE = MappingProxyType(
    {
        State.SUBMITTING: Charge.MAYBE_SPENT,
        State.SUBMITTED: Charge.PENDING,
        State.CANCELLED: Charge.PENDING,
        State.FINISHED: Charge.SPENT,
        State.SAVED: Charge.SPENT,
    }
)
"""What becomes of the money when such an error stops a row in this state."""

CHARGE_BY_BILLED = MappingProxyType(
    {True: Charge.CHARGED, False: Charge.NOT_SPENT, None: Charge.MAYBE_SPENT}
)
"""What became of the money of a FAILED row."""


@dataclass(frozen=True)
class Clip:
    """A clip on disk.

    Args:
        path: The mp4, as fal delivered it, packet for packet.
        request_id: fal's id of the request that made it.
        seed: The seed that was sent; 0 when Vidu chose.
        width: Pixels.
        height: Pixels.
        fps: FrameSelection per second, on average.
        frame_count: FrameSelection in the file.
        duration_s: Seconds.
        cost_usd: What this run paid for it: its price, or 0 when it had been paid for before.
        reused: Whether an earlier run had paid for it.
    """

    path: Path
    request_id: str
    seed: int
    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    cost_usd: Decimal
    reused: bool


def never() -> bool:
    """Say no."""
    return False


async def generate(
    request: Request,
    provider: Provider,
    ledger: Ledger,
    names: Names,
    *,
    metadata: Mapping[str, str] | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    on_progress: ProgressCallback = silent,
    cancelled_by_user: Callable[[], bool] = never,
) -> Clip:
    """Make one clip, or bring home the one that was already paid for.

    At most one paid request is made for one shot, whatever fails and however often this is called.
    Cancelling the task leaves a running request at fal for the next call to resume, unless
    `cancelled_by_user` then says yes: it is cancelled at fal, too.

    Args:
        request: The shot.
        provider: `Fal`, or `Draft` for a free local stand-in.
        ledger: Where paid work is written down before it is begun.
        names: Where the clip may be saved.
        metadata: Texts to carry inside the file, such as `workflow` and `prompt`.
        settings: Limits and the daily budget.
        on_progress: Called with each moment of progress.
        cancelled_by_user: Asked when the task is cancelled.

    Raises:
        ViduError: See the tree in `errors.py`.
    """
    context = Context(
        provider, ledger, names, metadata or {}, settings, on_progress, ledger.now(), may_pay=True
    )
    async with ledger.lock_shot(request.fingerprint, context.on_waiting):
        context = replace(
            context, started_at=ledger.now()
        )  # what was paid while it waited, another paid
        try:
            return await _bring_home(context, request)
        except asyncio.CancelledError:
            if cancelled_by_user():
                await _cancel(context, request.fingerprint)
            raise


async def resume(
    entry: Entry,
    provider: Provider,
    ledger: Ledger,
    names: Names,
    *,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    on_progress: ProgressCallback = silent,
) -> Clip:
    """Bring home the clip of an unfinished row; nothing is ever paid here.

    Args:
        entry: Its row, in whatever state.
        provider: The provider it was asked of.
        ledger: The ledger the row is in.
        names: Where the clip may be saved.
        settings: Limits.
        on_progress: Called with each moment of progress.

    Raises:
        GenerationError: There is no clip to bring home.
        ViduError: See the tree in `errors.py`.
    """
    carried = ledger.load_metadata(entry)
    context = Context(
        provider, ledger, names, carried, settings, on_progress, ledger.now(), may_pay=False
    )
    async with ledger.lock_shot(entry.fingerprint, context.on_waiting):
        entry = await _follow(context, ledger.get(entry.id) or entry)
    if entry.state is not State.SAVED:
        raise GenerationError(
            f"There is no clip to collect: {entry.failure or 'the shot was never asked for'}.",
            "Run the shot again to make it.",
            charge=CHARGE_BY_BILLED[entry.billed] if entry.submitting_at else Charge.NOT_SPENT,
        )
    return _clip(context, entry)


async def _bring_home(context: Context, request: Request) -> Clip:
    entry = context.ledger.active(request.fingerprint)
    if entry and entry.state is State.RESERVED:
        # Its run died before it asked for anything; the budget is asked anew.
        entry = context.ledger.mark_failed(
            entry, "its run ended before it was asked for", billed=False
        )
    while True:
        if entry is None or entry.state is State.FAILED:
            entry = context.ledger.reserve(request, context.settings.daily_budget_usd)
            _carry(context, entry)
        if entry.state is State.RESERVED:
            entry = await upload_and_submit(context, entry, request)
        entry = await _follow(context, entry)
        if entry.state is State.SAVED:
            return _clip(context, entry)


def _carry(context: Context, entry: Entry) -> None:
    if not context.metadata:
        return
    try:
        context.ledger.save_metadata(entry, context.metadata)
    except LedgerUnavailableError as problem:
        # No reason to go without the clip; were the disk full, the next step would say so.
        log.warning("A clip that has to be collected will carry no workflow: %s", problem.message)


async def _follow(context: Context, entry: Entry) -> Entry:
    """Go on with what was submitted until it is SAVED, or FAILED with nothing said yet."""
    while True:
        try:
            following = await _step(context, entry)
        except ViduError as error:
            error.request_id = error.request_id or entry.request_id or None
            if not context.provider.charges:
                error.charge = Charge.NOT_SPENT
            elif isinstance(error, NO_VERDICT):
                error.charge = CHARGE_BY_STATE[entry.state]
            raise
        except Exception as error:
            log.exception("Request %s stopped at %s.", entry.request_id, entry.state.value)
            charged = CHARGE_BY_STATE.get(entry.state, Charge.NOT_SPENT)
            raise UnexpectedError(
                f"Request {entry.request_id or '(not yet made)'} stopped with an unexpected "
                f"{type(error).__name__}: {error}.",
                charge=charged if context.provider.charges else Charge.NOT_SPENT,
                request_id=entry.request_id or None,
            ) from error
        if following is None:
            return entry
        entry = following


async def _step(context: Context, entry: Entry) -> Entry | None:
    if entry.state is State.SUBMITTING:
        return await search(context, entry)
    if entry.state in (State.SUBMITTED, State.CANCELLED):
        return await poll(context, entry)
    if entry.state is State.FINISHED:
        # A file that was missing for a moment only is not fetched again.
        back = entry.file if await is_intact(entry) else None
        return context.ledger.mark_saved(entry, back) if back else await retrieve(context, entry)
    if entry.state is State.SAVED:
        return await verify_saved_file(context, entry)
    return None


async def _cancel(context: Context, fingerprint: str) -> None:
    try:
        entry = context.ledger.active(fingerprint)
        if not entry or not entry.handle or entry.state not in (State.SUBMITTED, State.CANCELLED):
            return
        context.ledger.mark_cancelled(entry)  # first, so that the next run asks what became of it
        loop = asyncio.get_running_loop()
        # Shielded, for being cancelled a second time must not take it back.
        await asyncio.shield(loop.run_in_executor(None, context.provider.cancel, entry.handle))
    except ViduError as problem:
        log.warning("A request may go on at fal: %s", problem.message)


def _clip(context: Context, entry: Entry) -> Clip:
    paid = context.paid_in_this_run(entry)
    cost_usd = entry.price_usd if paid and context.provider.charges else Decimal(0)
    return replace(saved_clip(entry), cost_usd=cost_usd, reused=not paid)


def saved_clip(entry: Entry) -> Clip:
    """Return the clip of a SAVED row, as one that had been paid for before."""
    assert entry.file is not None
    return Clip(
        path=entry.file.path,
        request_id=entry.request_id,
        seed=entry.seed,
        width=entry.file.width,
        height=entry.file.height,
        fps=entry.file.fps,
        frame_count=entry.file.frame_count,
        duration_s=entry.file.duration_s,
        cost_usd=Decimal(0),
        reused=True,
    )
