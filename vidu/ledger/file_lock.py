"""One run of a shot at a time: a lock that ends with the process that held it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ..errors import LedgerUnavailableError

LOOK_EVERY_S = 0.2
TELL_EVERY = 5  # looks

NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
"""What a file system without locks says: NFS without its lock service, some FUSE mounts."""


@contextlib.asynccontextmanager
async def hold_lock(path: Path, waiting: Callable[[], None]) -> AsyncIterator[Callable[[], bool]]:
    """Hold the lock file `path`, over all coroutines, threads and processes of this machine.

    The lock is the operating system's (filelock: flock, or LockFile on Windows), so a killed
    process lets go at once. The empty file stays, for removing it would split those who wait.

    Args:
        path: The lock file; its folder is made.
        waiting: Called about once a second while another run holds it.

    Yields:
        What tells whether the lock is still held: a file put in its place has a lock of its own.

    Raises:
        LedgerUnavailableError: The file system has no locks.
        OSError: The file cannot be made.
    """
    from filelock import FileLock, Timeout  # not before the first run: importing it takes time

    path.parent.mkdir(parents=True, exist_ok=True)
    check_locks(path.parent)
    lock = FileLock(path, thread_local=False)
    looks = 0
    while True:
        locked = _make(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            if looks % TELL_EVERY == 0:
                waiting()
            looks += 1
            await asyncio.sleep(LOOK_EVERY_S)
            continue
        if locked and locked == identity_of(path):
            break
        lock.release()  # replaced meanwhile: it is not known which file was locked
    try:
        yield lambda: locked == identity_of(path)
    finally:
        lock.release()


def _make(path: Path) -> tuple[int, int] | None:
    path.touch(mode=0o600)
    return identity_of(path)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that takes its place, or None where there is none.

    Raises:
        OSError: That cannot be found out.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def check_locks(folder: Path) -> None:
    """Try both kinds of lock on a file of our own in `folder`.

    Where there are none, an older filelock takes the refusal for another run's lock and waits for
    ever. A newer one makes a file the lock, which outlives a killed process. SQLite says "locked".

    Raises:
        LedgerUnavailableError: The file system has no locks.
        OSError: No file can be made, or a lock is refused for another reason.
    """
    if sys.platform == "win32":  # every file system has them there
        return
    import fcntl

    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # filelock's
            fcntl.flock(file, fcntl.LOCK_UN)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # SQLite's
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise LedgerUnavailableError(
                f"The file system of {folder} has no file locks ({error.strerror}), so two runs "
                "could pay for the same shot.",
                "Set VIDU_HOME (in ComfyUI: --user-directory) to a folder on a local disk, then "
                "run again.",
            ) from error
