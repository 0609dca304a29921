"""Plays histories of a shot on a local fal: one a line on stdin, its outcome on stdout, in JSON.

A history is a list of steps, such as
["fal accepted_then_dropped:1", "kill before:mark_submitted", "cancel searching 0.3", "run & run"]:

fal FAULTS            from here on fal fails so
fal well              from here on it does not fail
run                   the shot is run, to whatever end
cancel PHASE [S]      it is run, and the user cancels it S seconds after it told of this phase
teardown PHASE [S]    it is run, and torn down then
kill MOMENT [PHASE]   it is run in a process that kills itself there, see crash_child.py
kill S                it is run in a process that is killed after S seconds
remove                the saved file is removed
damage                the saved file is cut
STEP & STEP           two of these at once

In the end it is run until it succeeds, four times at most, and fal is well again before the last.
One is played again with: echo '["run & run"]' | PYTHONPATH=. python tests/core/history.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from blocking_ledger import BlockingLedger
from shots import interrupting, job_problems, jobs_of, problems, run, shot

import local_fal
from vidu import Clip, Phase, ViduError
from vidu.models import State

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("crash_child.py")
RUNS = 4


class Scenario:
    """One shot, its ledger and its folder, and what its runs said."""

    def __init__(self, fal: local_fal.LocalFal, place: Path) -> None:
        self.fal, self.home, self.folder = fal, place / "home", place / "clips"
        self.errors: list[ViduError] = []
        self.killed = 0

    async def play(self, history: list[str]) -> Clip | None:
        for step in history:
            await self.apply(step)
        for left in reversed(range(RUNS)):
            if not left:
                self.fal.set_faults("")
            clip = await self.run()
            if clip:
                return clip
        return None

    async def apply(self, step: str) -> None:
        one, at_once, other = step.partition(" & ")
        if at_once:
            await asyncio.gather(self.apply(one), self.apply(other))
            return
        match step.split():
            case ["fal", faults]:
                self.fal.set_faults("" if faults == "well" else faults)
            case ["run"]:
                await self.run()
            case ["cancel" | "teardown" as how, phase, *seconds]:
                after_s = float(*seconds)
                await self.interrupt(Phase(phase), by_user=how == "cancel", after_s=after_s)
            case ["kill", *how]:
                await self.kill(*how)
            case ["remove" | "damage" as how]:
                self.lose(whole=how == "remove")
            case _:
                raise ValueError(f"there is no step {step!r}")

    async def run(self) -> Clip | None:
        try:
            return await run(shot(), self.home, self.folder)
        except ViduError as error:
            self.errors.append(error)
            return None

    async def interrupt(self, phase: Phase, **options: Any) -> None:
        task = await interrupting(shot(), self.home, self.folder, phase, **options)
        if not task.cancelled():  # it was over before
            with suppress(ViduError):
                task.result()

    async def kill(self, when: str, phase: str = "") -> None:
        by_itself = ":" in when
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, CHILD, self.home, self.folder, str(shot().seed)),
            *((when, phase) if by_itself else ()),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        speaking = asyncio.create_task(child.communicate())
        await asyncio.wait({speaking}, timeout=None if by_itself else float(when))
        if not speaking.done():
            with suppress(ProcessLookupError):
                child.kill()
        _, words = await speaking
        if b"Traceback" in words:
            raise RuntimeError(words.decode())
        # Windows has no SIGKILL: there a process that is ended so returns the signal's number.
        self.killed += child.returncode in (-9, 15)

    def lose(self, *, whole: bool) -> None:
        with BlockingLedger.open(self.home) as ledger:
            entry = ledger.active(shot().fingerprint)
        if entry is None or entry.state is not State.SAVED:
            return
        if whole:
            entry.file.path.unlink(missing_ok=True)
        elif entry.file.path.exists():
            os.truncate(entry.file.path, entry.file.size // 2)

    def outcome(self, clip: Clip | None) -> dict[str, Any]:
        jobs = jobs_of(self.fal, shot())
        with BlockingLedger.open(self.home) as ledger:
            spent_usd = ledger.spent_since(0)
        found = [*job_problems(jobs), "there is no clip"]
        if clip:
            found = problems(self.fal, self.home, self.folder, shot(), clip)
        if any(self.fal.key.split(":")[1] in str(error) for error in self.errors):
            found.append("the key is told")
        return {
            "problems": found,
            "shots": 1,
            "jobs": len(jobs),
            "billed": sum(job["billed"] for job in jobs),
            "clips": int(clip is not None),
            "spent_usd": float(spent_usd),
            "killed": self.killed,
            "errors": [str(error) for error in self.errors],
        }


def played(fal: local_fal.LocalFal, history: list[str], place: Path) -> dict[str, Any]:
    fal.reset()
    scene = Scenario(fal, place)
    try:
        clip = asyncio.run(scene.play(history))
        fal.set_faults("")  # what did not strike must not strike those who look now
        return scene.outcome(clip)
    except Exception:
        return {"problems": [traceback.format_exc()]}


def main() -> None:
    options = {"generation_seconds": 0.8, "clip_size": (64, 48), "clip_frames": 8}
    with tempfile.TemporaryDirectory() as folder, local_fal.running(**options) as fal:
        os.environ.update(fal.environment)
        for number, line in enumerate(sys.stdin):
            print(json.dumps(played(fal, json.loads(line), Path(folder, str(number)))), flush=True)


if __name__ == "__main__":
    main()
