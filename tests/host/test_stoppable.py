"""Work that ends within a second of Cancel, and never ends the host's worker."""

from __future__ import annotations

import asyncio
from types import ModuleType

import pytest


@pytest.fixture
def display(pack):
    """A display that has nothing to show."""
    return pack.nodes.host.progress.NodeProgress([])


@pytest.fixture
def host(pack, prompt_server) -> ModuleType:
    return pack.nodes.host.runs


@pytest.fixture
def interrupted():
    """Presses Cancel as /interrupt does, and takes it back after the test."""
    import nodes

    yield nodes.interrupt_processing
    nodes.interrupt_processing(False)


async def test_run_interruptible_returns_the_result(host, display):
    async def work() -> int:
        return 5

    assert await host.run_interruptible(work(), display) == 5


async def test_run_interruptible_raises_the_error(host, display):
    async def work() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await host.run_interruptible(work(), display)


async def test_run_interruptible_cancel_stops_the_work_and_lets_it_clean_up(
    host, display, interrupted
):
    cleaned = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    with pytest.raises(host.InterruptProcessingException):
        asyncio.get_running_loop().call_later(0.05, interrupted)
        await host.run_interruptible(work(), display)
    assert cleaned


async def test_run_interruptible_work_that_does_not_stop_is_left_behind(host, display, interrupted):
    goes_on = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await goes_on.wait()

    with pytest.raises(host.InterruptProcessingException):
        interrupted()
        await host.run_interruptible(work(), display)
    goes_on.set()


async def test_run_interruptible_error_after_cancel_does_not_hide_the_cancel(
    host, display, interrupted
):
    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("on the way out")

    with pytest.raises(host.InterruptProcessingException):
        interrupted()
        await host.run_interruptible(work(), display)


async def test_run_interruptible_cancelled_error_of_the_work_does_not_get_out(host, display):
    """It would end the host's worker, and every later prompt would hang."""

    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(host.InterruptProcessingException):
        await host.run_interruptible(work(), display)


async def test_run_interruptible_teardown_of_the_host_reaches_the_work(host, display):
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    node = asyncio.ensure_future(host.run_interruptible(work(), display))
    await asyncio.sleep(0.05)
    node.cancel()
    with pytest.raises(asyncio.CancelledError):
        await node
    await ended.wait()
