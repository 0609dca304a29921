"""One run of a shot at a time: a lock that ends with the process that held it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

LOOK_EVERY_S = 0.2
TELL_EVERY = 5  # looks


@contextlib.asynccontextmanager
async def hold_lock(path: Path, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock file `path`, over all coroutines, threads and processes of this machine.

    The lock is the operating system's (filelock: flock, or LockFile on Windows), so a killed
    process lets go at once. The empty file stays, for removing it would split those who wait.

    Args:
        path: The lock file; its folder is made.
        waiting: Called about once a second while another run holds it.

    Raises:
        OSError: The file cannot be made.
    """
    from filelock import FileLock, Timeout  # not before the first run: importing it takes time

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, thread_local=False)
    looks = 0
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except Timeout:
            if looks % TELL_EVERY == 0:
                waiting()
            looks += 1
            await asyncio.sleep(LOOK_EVERY_S)
    try:
        yield
    finally:
        lock.release()
