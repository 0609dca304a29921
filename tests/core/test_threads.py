"""Work in threads of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from vidu.threads import run_in_thread_until_done


async def test_run_in_thread_until_done_leaves_the_shared_threads_to_others():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    turn = threading.Lock()

    def wait_for_the_turn() -> None:
        with turn:
            pass

    with turn:
        waiting = [asyncio.ensure_future(run_in_thread_until_done(wait_for_the_turn))]
        waiting += [asyncio.ensure_future(run_in_thread_until_done(wait_for_the_turn))]
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "looked up"), 5) == "looked up"
    await asyncio.gather(*waiting)


async def test_run_in_thread_until_done_raises_what_work_raises():
    with pytest.raises(ZeroDivisionError):
        await run_in_thread_until_done(divmod, 1, 0)


class Large:
    """Stands for what takes a lot of memory."""


async def test_run_in_thread_until_done_error_holds_nothing_of_the_work():
    held = []

    def step() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise KeyError

    def work() -> None:
        large = Large()
        held.append(weakref.ref(large))
        try:
            step()
        except KeyError as error:
            raise ArithmeticError from error

    gc.disable()
    try:
        with pytest.raises(ArithmeticError) as raised:
            await run_in_thread_until_done(work)
        assert isinstance(raised.value.__cause__, KeyError)
        assert [large() for large in held] == [None, None]
    finally:
        gc.enable()


async def test_run_in_thread_until_done_cancelled_waits_for_its_end():
    stop, ended = threading.Event(), threading.Event()

    def work() -> None:
        stop.wait(30)
        ended.set()

    running = asyncio.ensure_future(run_in_thread_until_done(work, on_cancel=stop.set))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
