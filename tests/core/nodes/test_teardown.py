"""What ends a node's run early: Cancel, and a server that is shut down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

NODE = "FalViduImageToVideo"


def until(fal, holds: Callable[[dict], object]) -> None:
    deadline = time.monotonic() + 30
    while not any(holds(job) for job in fal.ledger()["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def torn_down(execute, asked, fal, before: Callable | None = None) -> None:
    """Runs a shot until it is under way at fal, and ends it as the host tears a prompt down."""
    running = asyncio.ensure_future(execute(NODE, **asked()))
    await asyncio.to_thread(until, fal, lambda job: job["polls"])
    if before:
        await before()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert running in tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert running.cancelled()


async def test_teardown_after_cancel_cancels_the_request(execute, asked, fal, press_cancel):
    fal.set_faults("stuck_in_queue:1")
    await torn_down(execute, asked, fal, press_cancel)
    await asyncio.to_thread(until, fal, lambda job: job["cancels"] == 1)


async def test_teardown_after_cancel_cancels_the_request_while_all_threads_are_busy(
    execute, asked, fal, press_cancel
):
    fal.set_faults("stuck_in_queue:1")
    loop, free = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(3))
    running = asyncio.ensure_future(execute(NODE, **asked()))
    await asyncio.to_thread(until, fal, lambda job: job["polls"])
    await press_cancel()
    busy = [loop.run_in_executor(None, free.wait) for _ in range(3)]
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for _ in range(3):
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.05)
    free.set()
    await asyncio.gather(*tasks, *busy, return_exceptions=True)
    assert running.cancelled()
    await asyncio.to_thread(until, fal, lambda job: job["cancels"] == 1)


async def test_teardown_after_cancel_that_fal_does_not_take_warns_in_the_editor(
    execute, asked, fal, server, press_cancel
):
    fal.set_faults("stuck_in_queue:1,cancel_500")
    await torn_down(execute, asked, fal, press_cancel)
    (job,) = fal.ledger()["jobs"]
    (warning,) = [data["text"] for event, data in server.events if event == "vidu.warning"]
    assert warning.startswith(f"Request {job['request_id']} could not be cancelled at fal")


async def test_teardown_job_is_in_progress_until_fal_was_asked_to_cancel(
    pack, running, server, monkeypatch
):
    runs, jobs = pack.nodes.host.runs, pack.nodes.host.jobs()
    answered = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(3600)
        finally:
            await answered.wait()

    monkeypatch.setattr(runs, "processing_interrupted", lambda: True)
    display = pack.nodes.host.progress.NodeProgress([])
    with running(), pytest.raises(runs.InterruptProcessingException):
        await runs.run_interruptible(work(), display)
    assert jobs.is_running("a-prompt")
    assert not jobs.ended("a-prompt")
    answered.set()
    await asyncio.sleep(0.05)
    assert not jobs.is_running("a-prompt")
    assert len(jobs.ended("a-prompt")) == 1


async def test_teardown_without_cancel_leaves_the_request_to_the_next_run(execute, asked, fal):
    await torn_down(execute, asked, fal)
    await execute(NODE, **asked())
    assert [job["cancels"] for job in fal.ledger()["jobs"]] == [0]


async def test_execute_cancelled_error_from_within_does_not_get_out(
    execute, asked, pack, fal, monkeypatch
):
    """It would end the host's worker, and every later prompt would hang."""

    async def generate(*_, **__):
        raise asyncio.CancelledError

    monkeypatch.setattr(pack.nodes.generation, "generate", generate)
    with pytest.raises(RuntimeError, match="cancelled, but not by the user"):
        await execute(NODE, **asked())
