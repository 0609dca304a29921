"""Runs one shot in a process of its own and, when told so, kills that process at a named moment.

Usage: crash_child.py HOME FOLDER SEED [MOMENT [PHASE]]. The moments are `before:X` and `after:X`
for each step X of the ledger and each call of the provider, which are handed to `generate` like any
other. With a PHASE the user interrupts the run there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from functools import wraps
from pathlib import Path
from typing import Any

from shots import SHORT, STEPS, shot

from vidu import Destination, Fal, ViduError, find_key, generate, open_ledger
from vidu.progress import Phase, Progress


def mortal(kind: type, moment: str) -> type:
    """The class with a step or call beside which the process dies."""
    when, _, name = moment.partition(":")

    class Mortal(kind):
        def __getattribute__(self, asked: str) -> Any:
            found = super().__getattribute__(asked)
            return deadly(found, when) if asked == name and name in STEPS else found

    return Mortal


def deadly(step: Any, when: str) -> Any:
    def die() -> None:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    @wraps(step)
    def call(*args: Any, **options: Any) -> Any:
        if when == "before":
            die()
        done = step(*args, **options)
        if not asyncio.iscoroutine(done):
            die()
        return awaited(done)

    async def awaited(work: Any) -> None:
        await work
        die()

    return call


async def main(home: Path, folder: Path, seed: int, moment: str = "", phase: str = "") -> None:
    reached = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if phase and progress.phase is Phase(phase):
            reached.set()

    async with (
        mortal(Fal, moment)(find_key(home).secret, SHORT) as fal,
        open_ledger(home) as ledger,
    ):
        ledger.__class__ = mortal(type(ledger), moment)
        destination = Destination(folder, "clip")
        options = {
            "settings": SHORT,
            "on_progress": on_progress,
            "cancelled_by_user": lambda: True,
        }
        run = asyncio.create_task(generate(shot(seed), fal, ledger, destination, **options))
        interrupt = asyncio.create_task(reached.wait())
        await asyncio.wait({run, interrupt}, return_when=asyncio.FIRST_COMPLETED)
        if not run.done():
            run.cancel()
        print((await run).path)


if __name__ == "__main__":
    home, folder, seed, *rest = sys.argv[1:]
    try:
        asyncio.run(main(Path(home), Path(folder), int(seed), *rest))
    except (ViduError, asyncio.CancelledError) as error:
        sys.exit(str(error) or "interrupted")
