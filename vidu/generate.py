"""The whole story of one shot: claim, upload, submit, watch, fetch, keep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from .entry import Entry, State
from .errors import (
    AccountLocked,
    GenerationFailed,
    KeyProblem,
    LedgerUnavailable,
    Money,
    ServiceProblem,
    UnexpectedError,
    ViduError,
)
from .fetch import fetch, is_intact, recall
from .ledger import Ledger
from .platform import Platform
from .progress import Tell, silent
from .request import Request
from .run import Names, Run
from .settings import Settings
from .submit import search, upload_and_submit
from .watch import watch

log = logging.getLogger(__name__)

NO_VERDICT = (ServiceProblem, KeyProblem, AccountLocked, LedgerUnavailable)
"""Errors that are not the request's own: what it costs does not depend on them."""

MONEY = MappingProxyType(
    {
        State.UNKNOWN: Money.MAYBE_SPENT,
        State.SUBMITTED: Money.PENDING,
        State.CANCELLED: Money.PENDING,
        State.FINISHED: Money.SPENT,
        State.KEPT: Money.SPENT,
    }
)
"""What becomes of the money when such an error stops a row in this state."""

BILLED = MappingProxyType({True: Money.CHARGED, False: Money.NOT_SPENT, None: Money.MAYBE_SPENT})
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
        fps: Frames per second, on average.
        frame_count: Frames in the file.
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
    platform: Platform,
    ledger: Ledger,
    names: Names,
    *,
    metadata: Mapping[str, str] | None = None,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    tell: Tell = silent,
    cancelled_by_artist: Callable[[], bool] = never,
) -> Clip:
    """Make one clip, or bring home the one that was already paid for.

    At most one paid request is made for one shot, whatever fails and however often this is called.
    Cancelling the task leaves a running request at fal for the next call to collect, unless
    `cancelled_by_artist` then says yes: it is cancelled at fal, too.

    Args:
        request: The shot.
        platform: `Fal`, or `Draft` for a free local stand-in.
        ledger: Where paid work is written down before it is begun.
        names: Where the clip may be kept.
        metadata: Texts to carry inside the file, such as `workflow` and `prompt`.
        settings: Limits and the daily budget.
        tell: Called with each moment of progress.
        cancelled_by_artist: Asked when the task is cancelled.

    Raises:
        ViduError: See the tree in `errors.py`.
    """
    run = Run(platform, ledger, names, metadata or {}, settings, tell, ledger.now(), may_pay=True)
    async with ledger.turn(request.fingerprint, run.waiting):
        run = replace(run, started_at=ledger.now())  # what was paid while it waited, another paid
        try:
            return await _bring_home(run, request)
        except asyncio.CancelledError:
            if cancelled_by_artist():
                await _cancel(run, request.fingerprint)
            raise


async def collect(
    entry: Entry,
    platform: Platform,
    ledger: Ledger,
    names: Names,
    *,
    settings: Settings = Settings(),  # noqa: B008 (frozen)
    tell: Tell = silent,
) -> Clip:
    """Bring home the clip of an unfinished row; nothing is ever paid here.

    Args:
        entry: Its row, in whatever state.
        platform: The platform it was asked of.
        ledger: The ledger the row is in.
        names: Where the clip may be kept.
        settings: Limits.
        tell: Called with each moment of progress.

    Raises:
        GenerationFailed: There is no clip to bring home.
        ViduError: See the tree in `errors.py`.
    """
    carried = ledger.carried(entry)
    run = Run(platform, ledger, names, carried, settings, tell, ledger.now(), may_pay=False)
    async with ledger.turn(entry.fingerprint, run.waiting):
        entry = await _follow(run, ledger.get(entry.id) or entry)
    if entry.state is not State.KEPT:
        raise GenerationFailed(
            f"There is no clip to collect: {entry.failure or 'the shot was never asked for'}.",
            "Run the shot again to make it.",
            money=BILLED[entry.billed] if entry.posted_at else Money.NOT_SPENT,
        )
    return _clip(run, entry)


async def _bring_home(run: Run, request: Request) -> Clip:
    entry = run.ledger.live(request.fingerprint)
    if entry and entry.state is State.INTENDED:
        # Its run died before it asked for anything; the budget is asked anew.
        entry = run.ledger.failed(entry, "its run ended before it was asked for", billed=False)
    while True:
        if entry is None or entry.state is State.FAILED:
            entry = run.ledger.intend(request, run.settings.daily_budget_usd)
            _carry(run, entry)
        if entry.state is State.INTENDED:
            entry = await upload_and_submit(run, entry, request)
        entry = await _follow(run, entry)
        if entry.state is State.KEPT:
            return _clip(run, entry)


def _carry(run: Run, entry: Entry) -> None:
    if not run.metadata:
        return
    try:
        run.ledger.carry(entry, run.metadata)
    except LedgerUnavailable as problem:
        # No reason to go without the clip; were the disk full, the next step would say so.
        log.warning("A clip that has to be collected will carry no workflow: %s", problem.happened)


async def _follow(run: Run, entry: Entry) -> Entry:
    """Go on with what was submitted until it is KEPT, or FAILED with nothing said yet."""
    while True:
        try:
            following = await _step(run, entry)
        except ViduError as error:
            error.request_id = error.request_id or entry.request_id or None
            if not run.platform.charges:
                error.money = Money.NOT_SPENT
            elif isinstance(error, NO_VERDICT):
                error.money = MONEY[entry.state]
            raise
        except Exception as error:
            log.exception("Request %s stopped at %s.", entry.request_id, entry.state.value)
            charged = MONEY.get(entry.state, Money.NOT_SPENT)
            raise UnexpectedError(
                f"Request {entry.request_id or '(not yet made)'} stopped with an unexpected "
                f"{type(error).__name__}: {error}.",
                money=charged if run.platform.charges else Money.NOT_SPENT,
                request_id=entry.request_id or None,
            ) from error
        if following is None:
            return entry
        entry = following


async def _step(run: Run, entry: Entry) -> Entry | None:
    if entry.state is State.UNKNOWN:
        return await search(run, entry)
    if entry.state in (State.SUBMITTED, State.CANCELLED):
        return await watch(run, entry)
    if entry.state is State.FINISHED:
        # A file that was missing for a moment only is not fetched again.
        back = entry.file if await is_intact(entry) else None
        return run.ledger.kept(entry, back) if back else await fetch(run, entry)
    if entry.state is State.KEPT:
        return await recall(run, entry)
    return None


async def _cancel(run: Run, fingerprint: str) -> None:
    try:
        entry = run.ledger.live(fingerprint)
        if not entry or not entry.receipt or entry.state not in (State.SUBMITTED, State.CANCELLED):
            return
        run.ledger.cancelled(entry)  # first, so that the next run asks what became of it
        loop = asyncio.get_running_loop()
        # Shielded, for being cancelled a second time must not take it back.
        await asyncio.shield(loop.run_in_executor(None, run.platform.cancel, entry.receipt))
    except ViduError as problem:
        log.warning("A request may go on at fal: %s", problem.happened)


def _clip(run: Run, entry: Entry) -> Clip:
    paid = run.posted(entry)
    cost_usd = entry.price_usd if paid and run.platform.charges else Decimal(0)
    return replace(kept_clip(entry), cost_usd=cost_usd, reused=not paid)


def kept_clip(entry: Entry) -> Clip:
    """Return the clip of a KEPT row, as one that had been paid for before."""
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
