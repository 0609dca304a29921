"""The lock file of a shot, held by one process at a time."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from pathlib import Path

import pytest

from vidu.errors import Charge, LedgerUnavailableError
from vidu.ledger import open_ledger
from vidu.ledger.file_lock import hold_lock

from ...support.scripts import start_script

TIMEOUT_S = 30  # for what must come, however slow the machine; nothing here is measured

# Enters again and again. Two inside at once trip over the door, or lose a count.
VISITOR = """
import asyncio, os, sys
from pathlib import Path
from vidu.ledger.file_lock import hold_lock

folder, visits = Path(sys.argv[1]), int(sys.argv[2])
door, count = folder / "door", folder / "count"

async def visit():
    async with hold_lock(folder / "lock", lambda: None):
        os.close(os.open(door, os.O_CREAT | os.O_EXCL))
        seen = int(count.read_text())
        await asyncio.sleep(0.002)
        count.write_text(str(seen + 1))
        door.unlink()

async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(visits):
        await visit()

asyncio.run(main())
"""

HOLDER = """
import asyncio, sys
from pathlib import Path
from vidu.ledger.file_lock import hold_lock

async def main():
    async with hold_lock(Path(sys.argv[1]), lambda: None):
        print("inside", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def nobody() -> None:
    raise AssertionError("nobody was to be waited for")


async def enter(path: Path) -> None:
    async with hold_lock(path, lambda: None):
        pass


def test_hold_lock_from_eight_processes_admits_one(tmp_path):
    (tmp_path / "count").write_text("0")
    visitors = [start_script(VISITOR, tmp_path, 8) for _ in range(8)]
    for visitor in visitors:
        assert visitor.stdout.readline() == "ready\n"
    for visitor in visitors:
        visitor.stdin.write("go\n")
        visitor.stdin.flush()
    for visitor in visitors:
        _, complaint = visitor.communicate(timeout=TIMEOUT_S)
        assert visitor.returncode == 0, complaint
    assert (tmp_path / "count").read_text() == "64"
    assert (tmp_path / "lock").exists()


async def test_hold_lock_of_a_killed_holder_is_free(tmp_path):
    path = tmp_path / "lock"
    with start_script(HOLDER, path) as holder:
        assert holder.stdout.readline() == "inside\n"
        told = asyncio.Event()
        waiter = asyncio.create_task(_enter_telling(path, told))
        await asyncio.wait_for(told.wait(), TIMEOUT_S)
        assert not waiter.done()
        holder.kill()
        await asyncio.wait_for(waiter, TIMEOUT_S)


async def _enter_telling(path: Path, told: asyncio.Event) -> None:
    async with hold_lock(path, told.set):
        pass


async def test_hold_lock_from_many_coroutines_admits_one(tmp_path):
    inside = 0

    async def visit() -> None:
        nonlocal inside
        async with hold_lock(tmp_path / "lock", lambda: None):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(8)))


async def test_hold_lock_from_threads_with_loops_admits_one(tmp_path):
    path, inside = tmp_path / "lock", []

    async def visit() -> None:
        async with hold_lock(path, lambda: None):
            inside.append(1)
            assert len(inside) == 1
            await asyncio.sleep(0.01)
            inside.pop()

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, visit()) for _ in range(6)))


async def test_hold_lock_file_replaced_meanwhile_is_no_longer_held(tmp_path):
    lock = tmp_path / "lock"
    async with hold_lock(lock, lambda: None) as is_held:
        assert is_held()
        lock.unlink()
        assert not is_held()
        lock.touch()
        async with hold_lock(lock, lambda: None) as is_held_by_another:
            assert (is_held(), is_held_by_another()) == (False, True)


async def test_hold_lock_of_another_shot_does_not_wait(tmp_path):
    async with hold_lock(tmp_path / "one", nobody), hold_lock(tmp_path / "two", nobody):
        pass


async def test_hold_lock_is_free_after_an_error_inside(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with hold_lock(tmp_path / "lock", nobody):
            raise ZeroDivisionError
    async with hold_lock(tmp_path / "lock", nobody):
        pass


async def test_hold_lock_cancelled_holder_and_waiter_let_go(tmp_path):
    path = tmp_path / "lock"
    inside, told = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with hold_lock(path, nobody):
            inside.set()
            await asyncio.sleep(3600)

    holder = asyncio.create_task(hold())
    await inside.wait()
    waiter = asyncio.create_task(_enter_telling(path, told))
    await told.wait()
    for task in (waiter, holder):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with hold_lock(path, nobody):
        pass


async def test_hold_lock_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError):
        await enter(tmp_path / "file" / "locks" / "lock")


# -- file systems without locks ------------------------------------------------------------------


@pytest.fixture(params=["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EINVAL"])
def without_locks(request, monkeypatch) -> None:
    """A file system that refuses every lock, as NFS without lockd and some FUSE mounts do."""

    def refuse(*_: object) -> None:
        number = getattr(errno, request.param)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(fcntl, "lockf", refuse)


async def test_hold_lock_file_system_without_locks_is_said_at_once(without_locks, tmp_path):
    with pytest.raises(LedgerUnavailableError, match="has no file locks") as caught:
        await asyncio.wait_for(_hold_without_waiting(tmp_path / "lock"), TIMEOUT_S)
    assert str(tmp_path) in caught.value.message
    assert "VIDU_HOME" in caught.value.next_step
    assert caught.value.charge is Charge.NOT_SPENT


async def test_hold_lock_soft_lock_left_by_a_kill_is_not_waited_for(without_locks, tmp_path):
    (tmp_path / "lock").write_text(f"{os.getpid()}\n{os.uname().nodename}\n")
    with pytest.raises(LedgerUnavailableError, match="has no file locks"):
        await asyncio.wait_for(_hold_without_waiting(tmp_path / "lock"), TIMEOUT_S)


async def test_open_ledger_file_system_without_locks_is_said_at_once(without_locks, tmp_path):
    with pytest.raises(LedgerUnavailableError, match="has no file locks"):
        async with open_ledger(tmp_path / "home"):
            pass


async def _hold_without_waiting(path: Path) -> None:
    async with hold_lock(path, nobody):
        pass
