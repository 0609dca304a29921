"""Runs one shot in a process of its own and, when told so, kills that process at a named moment.

Usage: python -m tests.support.crash_child HOME FOLDER SPEC [MOMENT [PHASE]]. SPEC is a ShotSpec in
JSON. The moments are `before:X` and `after:X` for each step X of the ledger and each call of the
provider, which are handed to `generate` like any other. With a PHASE the user interrupts the run
there.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from functools import wraps
from pathlib import Path
from typing import Any

from vidu import Destination, generate
from vidu.credentials import find_key
from vidu.errors import ViduError
from vidu.fal.client import Fal
from vidu.ledger import open_ledger
from vidu.progress import Phase, Progress

from .scenario import ShotSpec
from .shots import SHORT, STEPS


def kill_at(kind: type, moment: str) -> type:
    """Return a subclass with a step or call beside which the process is killed."""
    when, _, name = moment.partition(":")

    class KilledAt(kind):
        def __getattribute__(self, asked: str) -> Any:
            found = super().__getattribute__(asked)
            return kill_beside(found, when) if asked == name and name in STEPS else found

    return KilledAt


def kill_beside(step: Any, when: str) -> Any:
    """Return the step with a kill before or after it."""

    def kill() -> None:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    @wraps(step)
    def call(*args: Any, **options: Any) -> Any:
        if when == "before":
            kill()
        done = step(*args, **options)
        if not asyncio.iscoroutine(done):
            kill()
        return await_then_kill(done)

    async def await_then_kill(work: Any) -> None:
        await work
        kill()

    return call


async def main(home: Path, folder: Path, spec: ShotSpec, moment: str = "", phase: str = "") -> None:
    reached = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if phase and progress.phase is Phase(phase):
            reached.set()

    async with (
        kill_at(Fal, moment)(find_key(home).secret, SHORT) as fal,
        open_ledger(home, now=lambda: time.time() + spec.clock_s) as ledger,
    ):
        ledger.__class__ = kill_at(type(ledger), moment)
        destination = Destination(folder, "clip")
        options = {
            "settings": SHORT,
            "on_progress": on_progress,
            "cancelled_by_user": lambda: True,
        }
        run = asyncio.create_task(generate(spec.request(), fal, ledger, destination, **options))
        interrupt = asyncio.create_task(reached.wait())
        await asyncio.wait({run, interrupt}, return_when=asyncio.FIRST_COMPLETED)
        if not run.done():
            run.cancel()
        print((await run).path)


if __name__ == "__main__":
    home, folder, spec, *rest = sys.argv[1:]
    try:
        asyncio.run(main(Path(home), Path(folder), ShotSpec(**json.loads(spec)), *rest))
    except (ViduError, asyncio.CancelledError) as error:
        sys.exit(str(error) or "interrupted")
