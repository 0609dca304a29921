"""Work of a node that ends within a second of Cancel.

What the host does is told in ComfyUI 0.33's `execution.py`: an interrupt sets a flag and cancels
nothing; a node that sees it must raise InterruptProcessingException; a CancelledError that a node
makes itself kills the prompt worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from aiohttp import web
from comfy.model_management import InterruptProcessingException, processing_interrupted
from comfy_execution.utils import get_executing_context
from server import PromptServer

from .editor import show, track_job, warn
from .interrupts import InterruptLog
from .progress import NodeProgress

T = TypeVar("T")

LOOK_EVERY_S = 0.1
STOP_WITHIN_S = 0.7

INTERRUPT_LOG = web.AppKey("fal_vidu_presses", InterruptLog)


def listen_for_interrupts() -> None:
    """Note each press of Cancel, for it shows to one node only.

    The first node to look takes the host's flag away; the others are torn down as if a sibling
    had failed, and only this note tells them that their remote jobs are to be cancelled, too.
    """
    app = PromptServer.instance.app
    app[INTERRUPT_LOG] = InterruptLog()
    app.on_response_prepare.append(app[INTERRUPT_LOG].record)


def interrupted_since(moment: float) -> bool:
    """Return whether the user cancelled this prompt after `moment`, in monotonic seconds."""
    if processing_interrupted():
        return True
    context = get_executing_context()
    presses = PromptServer.instance.app[INTERRUPT_LOG]
    return context is not None and presses.interrupted_since(moment, context.prompt_id)


async def run_with_progress(work: Awaitable[T], display: NodeProgress) -> T:
    """Await `work` that belongs to no prompt, and update its display meanwhile."""
    task = asyncio.ensure_future(work)
    track_job(display, task)
    while not task.done():
        await asyncio.wait({task}, timeout=LOOK_EVERY_S)
        await show(display)
    return task.result()


async def run_interruptible(work: Awaitable[T], display: NodeProgress) -> T:
    """Await `work` as a task that ends within a second of the user's Cancel.

    Shows the display meanwhile.

    Raises:
        InterruptProcessingException: The user pressed Cancel.
        asyncio.CancelledError: The prompt is over; the host tears its loop down.
    """
    task = asyncio.ensure_future(work)
    track_job(display, task)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY_S)
            await show(display)
            if processing_interrupted():
                break
        else:
            if not task.cancelled():
                return task.result()
    except asyncio.CancelledError:
        task.cancel()  # the teardown waits for it
        task.add_done_callback(lambda _: warn(display))
        raise
    task.cancel()
    # What could not be cancelled at fal may be known only when fal's reply is there.
    task.add_done_callback(lambda _: warn(display))
    await asyncio.wait({task}, timeout=STOP_WITHIN_S)
    if task.done() and not task.cancelled():
        task.exception()  # seen: the interrupt goes before it
    raise InterruptProcessingException
