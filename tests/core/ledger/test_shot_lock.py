"""The lock of a shot, in a file and on a server: one run at a time, ended by a kill."""

from __future__ import annotations

import asyncio

from vidu.ledger import open_ledger

from ...support.scripts import start_script

SHOT = "ab" * 32
PROCESSES = 8
VISITS = 4
TIMEOUT_S = 60

# Enters again and again. Two inside at once trip over the door, or lose a count.
VISITOR = """
import asyncio, os, sys
from pathlib import Path
from vidu.ledger import open_ledger

home, folder = Path(sys.argv[1]), Path(sys.argv[2])
door, count = folder / "door", folder / "count"

async def main():
    async with open_ledger(home) as ledger:
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(int(sys.argv[3])):
            async with ledger.lock_shot("ab" * 32, lambda _: None):
                os.close(os.open(door, os.O_CREAT | os.O_EXCL))
                seen = int(count.read_text())
                await asyncio.sleep(0.002)
                count.write_text(str(seen + 1))
                door.unlink()

asyncio.run(main())
"""

HOLDER = """
import asyncio, sys
from pathlib import Path
from vidu.ledger import open_ledger

async def main():
    async with open_ledger(Path(sys.argv[1])) as ledger:
        async with ledger.lock_shot("ab" * 32, lambda _: None):
            print("inside", flush=True)
            await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_lock_shot_of_eight_processes_never_two_are_inside(home, tmp_path):
    (tmp_path / "count").write_text("0")
    visitors = [start_script(VISITOR, home, tmp_path, VISITS) for _ in range(PROCESSES)]
    for visitor in visitors:
        assert visitor.stdout.readline() == "ready\n", visitor.stderr.read()
    for visitor in visitors:
        visitor.stdin.write("go\n")
        visitor.stdin.flush()
    for visitor in visitors:
        _, complaint = visitor.communicate(timeout=2 * TIMEOUT_S)
        assert visitor.returncode == 0, complaint
    assert (tmp_path / "count").read_text() == str(PROCESSES * VISITS)


async def test_lock_shot_killed_holder_lets_go(home):
    with start_script(HOLDER, home) as holder:
        assert holder.stdout.readline() == "inside\n"
        told = asyncio.Event()
        async with open_ledger(home) as ledger:

            async def wait() -> None:
                async with ledger.lock_shot(SHOT, lambda _: told.set()):
                    pass

            waiting = asyncio.create_task(wait())
            await asyncio.wait_for(told.wait(), TIMEOUT_S)
            assert not waiting.done()
            holder.kill()
            await asyncio.wait_for(waiting, TIMEOUT_S)


async def test_lock_shot_cancelled_holder_and_waiter_let_go(home):
    async with open_ledger(home) as one, open_ledger(home) as two:

        async def hold(ledger, inside: asyncio.Event) -> None:
            async with ledger.lock_shot(SHOT, lambda _: inside.set()):
                inside.set()
                await asyncio.sleep(3600)

        inside, waits = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(one, inside))
        await asyncio.wait_for(inside.wait(), TIMEOUT_S)
        waiter = asyncio.create_task(hold(two, waits))
        await asyncio.wait_for(waits.wait(), TIMEOUT_S)
        for task in (waiter, holder):
            task.cancel()
            await asyncio.wait({task})
        for ledger in (one, two):
            await asyncio.wait_for(enter(ledger), TIMEOUT_S)


async def test_lock_shot_cancelled_while_it_takes_the_lock_lets_go(home):
    """The thread may have taken it when the task ends, and nobody would ever hear of it."""
    async with open_ledger(home) as one, open_ledger(home) as two:

        async def take() -> None:
            async with one.lock_shot(SHOT, lambda _: None):
                await asyncio.sleep(3600)

        for turns in range(12):
            taking = asyncio.create_task(take())
            for _ in range(turns):
                await asyncio.sleep(0.0005)
            taking.cancel()
            await asyncio.wait({taking})
        await asyncio.wait_for(enter(two), TIMEOUT_S)


async def enter(ledger) -> None:
    async with ledger.lock_shot(SHOT, lambda _: None):
        pass
