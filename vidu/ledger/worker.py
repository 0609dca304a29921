"""A thread of the ledger's own, so that a slow disk holds up nobody but those who write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..errors import LedgerUnavailableError
from ..threads import run_until_done

T = TypeVar("T")


class Worker:
    """One thread that runs one function after the other, each to its end."""

    def __init__(self) -> None:
        # Not asyncio's own threads: those are shared with downloads, and on a ComfyUI server
        # with the host's files.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="vidu-ledger")
        self._is_stopped = False

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run `function` in the thread; a cancelled task waits for its end, too.

        Raises:
            LedgerUnavailableError: The thread was stopped.
        """
        loop = asyncio.get_running_loop()
        if self._is_stopped:
            raise LedgerUnavailableError("The ledger is closed.", "Open it again.")
        return await run_until_done(loop.run_in_executor(self._executor, function, *arguments))

    def stop(self) -> None:
        """End the thread after what it has begun."""
        self._is_stopped = True
        self._executor.shutdown(wait=False)
