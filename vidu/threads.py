"""Work that a cancel does not leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread_until_done(
    work: Callable[..., T], *given: object, on_cancel: Callable[[], None] | None = None
) -> T:
    """Run `work` in a thread and wait for it even if the task is cancelled.

    Args:
        work: What is called there.
        given: What it is called with.
        on_cancel: Called when the task is cancelled, so that the work may end sooner.
    """
    return await run_until_done(asyncio.to_thread(work, *given), on_cancel=on_cancel)


async def run_until_done(work: Awaitable[T], *, on_cancel: Callable[[], None] | None = None) -> T:
    """Await `work` and wait for its end even if the task is cancelled, which then ends so.

    Args:
        work: What is awaited.
        on_cancel: Called when the task is cancelled, so that the work may end sooner.
    """
    working = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        if on_cancel:
            on_cancel()
        await wait_uncancelled(working)
        raise


async def wait_uncancelled(working: asyncio.Future[T]) -> None:
    """Wait until a future is done, however often the task is cancelled meanwhile."""
    while not working.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({working})
    if not working.cancelled():
        working.exception()  # looked at, or asyncio would complain
