"""Work in threads that a cancel does not leave behind."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from traceback import clear_frames
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_thread_until_done(
    work: Callable[..., T], *given: object, on_cancel: Callable[[], None] | None = None
) -> T:
    """Run `work` in a thread of its own and wait for it even if the task is cancelled.

    asyncio's few shared threads are left to what is short: clips that wait for their turn to be
    decoded would take all of them, and no other shot could look up a name or write a file.

    Args:
        work: What is called there.
        given: What it is called with.
        on_cancel: Called when the task is cancelled, so that the work may end sooner.
    """
    return await run_until_done(_start_thread(partial(work, *given)), on_cancel=on_cancel)


async def run_until_done(work: Awaitable[T], *, on_cancel: Callable[[], None] | None = None) -> T:
    """Await `work` to its end even if the task is cancelled, then raise the cancellation.

    Args:
        work: What is awaited. Let it be a future of a thread: a loop that ends cancels each of its
            tasks by itself.
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


async def wait_uncancelled(working: asyncio.Future[T], timeout_s: float = math.inf) -> None:
    """Wait until a future is done, however often the task is cancelled meanwhile.

    Args:
        working: The future.
        timeout_s: How long to wait at most, in seconds.
    """
    give_up_at = time.monotonic() + timeout_s
    while not working.done() and (left_s := give_up_at - time.monotonic()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({working}, timeout=None if left_s == math.inf else left_s)
    if working.done() and not working.cancelled():
        working.exception()  # looked at, or asyncio would complain


def start_in_own_event_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Future[T]:
    """Begin a coroutine in a thread with an event loop of its own, and return its future.

    `asyncio.run` ends by cancelling each task of its loop, also those that another task shields.
    What runs apart is not among them, and goes on to its end.

    Args:
        work: Makes the coroutine; it must use nothing that is bound to the loop of the caller.
    """
    return _start_thread(lambda: asyncio.run(work()))


def _start_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            clear_frames_of(error)
            done.set_exception(error)

    threading.Thread(target=run, name="vidu-apart").start()
    return asyncio.wrap_future(done)


def clear_frames_of(error: BaseException | None) -> None:
    """Let go of what the failed work had in hand, such as the frames of a clip.

    Whoever keeps the error would keep it, and the error is part of cycles, which Python may leave
    alone for minutes.
    """
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
