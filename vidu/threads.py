"""Work in a thread that a cancel does not leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def unhurried() -> None:
    """Let the work take its time."""


async def run_in_thread_until_done(
    work: Callable[..., T], *given: object, on_cancel: Callable[[], None] = unhurried
) -> T:
    """Work in a thread, which no cancel leaves behind: it would go on into what follows.

    Args:
        work: What is called there.
        given: What it is called with.
        on_cancel: Called when the task is cancelled, so that the work may end sooner.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        on_cancel()
        while not working.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # looked at, or asyncio would tell of it
        raise
