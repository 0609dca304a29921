"""One shot, its ledger and its folder, and the steps of a history that happen to them."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

import local_fal
from vidu.errors import ViduError
from vidu.models import Clip, State
from vidu.progress import Phase
from vidu.request import Request

from . import damage
from .blocking_ledger import BlockingLedger
from .least_requests import least_request
from .shots import IMAGE_TO_VIDEO, TWIN, interrupting, job_problems, jobs_of, problems, run

ROOT = Path(__file__).parents[2]
RUNS = 4
TWIN_S = 1.5  # it ends meanwhile, if fal lets it


@dataclass
class ShotSpec:
    """Which request is run, and by which clock."""

    endpoint_id: str = IMAGE_TO_VIDEO
    seed: int = 1
    decoder: int = 0
    clock_s: float = 0.0
    has_all_media: bool = False

    def request(self) -> Request:
        return least_request(
            self.endpoint_id,
            seed=self.seed,
            decoder=self.decoder,
            has_all_media=self.has_all_media,
        )


class Scenario:
    """Applies steps; see history.py for each."""

    def __init__(self, fal: local_fal.LocalFal, place: Path) -> None:
        # Not the folder of what all ledgers of a user share, which knows this one while it is away.
        self.fal, self.home, self.folder = fal, place / "home" / "comfyui", place / "clips"
        self.spec = ShotSpec()
        self.first = self.spec.request()
        self.errors: list[ViduError] = []
        self.killed = 0

    async def run_history(self, history: list[str]) -> Clip | None:
        for step in history:
            await self.apply(step)
        damage.show(self.folder)
        damage.show_ledger(self.home)
        for left in reversed(range(RUNS)):
            if not left:
                self.fal.set_faults("")
            clip = await self.run()
            if clip:
                return clip
        if any("twin" in step for step in history) and self._delete_what_never_arrived():
            return await self.run()
        return None

    def _delete_what_never_arrived(self) -> bool:
        """Do as a user who is told that a twin may be the lost request, and sees at fal that it is.

        Returns:
            Whether the lost request never arrived, and its row is deleted.
        """
        with BlockingLedger.open(self.home) as ledger:
            row = ledger.active(self.spec.request().fingerprint)
            if row is None or row.state is not State.SUBMITTING:
                return False
            if any(not ledger.has_request(job["request_id"]) for job in self._jobs()):
                return False
            ledger.delete(row)
        return True

    def _jobs(self) -> list[dict[str, Any]]:
        return jobs_of(self.fal, self.first)

    async def apply(self, step: str) -> None:
        one, at_once, other = step.partition(" & ")
        if at_once:
            await asyncio.gather(self.apply(one), self.apply(other))
            return
        match step.split():
            case ["shot", endpoint, *whole]:
                self.spec.endpoint_id = f"fal-ai/vidu/{endpoint}"
                self.spec.has_all_media = whole == ["whole"]
                self.first = self.spec.request()
            case ["seed", number]:
                self.spec.seed = int(number)
                self.first = self.spec.request()
            case ["fal", faults]:
                self.fal.set_faults("" if faults == "well" else faults)
            case ["fal_clock", seconds]:
                self.fal.set_clock_skew(float(seconds))
            case ["clock", seconds]:
                self.spec.clock_s = float(seconds)
            case ["decoder", number]:
                self.spec.decoder = int(number)
            case ["twin"]:
                await self.submit_twin()
            case ["run"]:
                await self.run()
            case ["cancel" | "teardown" as how, phase, *seconds]:
                after_s = float(*seconds)
                await self.interrupt(Phase(phase), by_user=how == "cancel", after_s=after_s)
            case ["kill", *how]:
                await self.kill(*how)
            case ["replace"]:
                damage.apply("remove", self._saved_path())
                with suppress(ViduError):
                    await run(least_request(IMAGE_TO_VIDEO, seed=9), self.home, self.folder)
            case ["hide" | "show" as how]:
                getattr(damage, how)(self.folder)
            case ["copy_ledger" | "restore_ledger" | "hide_ledger" | "show_ledger" as how]:
                getattr(damage, how)(self.home)
            case ["damage_ledger", how]:
                damage.damage_ledger(self.home, how)
            case ["remove" | "damage" | "retitle" as how]:
                damage.apply(how, self._saved_path())
            case _:
                raise ValueError(f"there is no step {step!r}")

    async def run(self) -> Clip | None:
        try:
            return await run(self.spec.request(), self.home, self.folder, clock_s=self.spec.clock_s)
        except ViduError as error:
            self.errors.append(error)
            return None

    async def interrupt(self, phase: Phase, **options: Any) -> None:
        task = await interrupting(
            self.spec.request(), self.home, self.folder, phase, clock_s=self.spec.clock_s, **options
        )
        if not task.cancelled():  # it was over before
            with suppress(ViduError):
                task.result()

    async def kill(self, when: str, phase: str = "") -> None:
        by_itself = ":" in when
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.crash_child", self.home, self.folder),
            *(json.dumps(asdict(self.spec)), *((when, phase) if by_itself else ())),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        reading = asyncio.create_task(child.communicate())
        await asyncio.wait({reading}, timeout=None if by_itself else float(when))
        if not reading.done():
            with suppress(ProcessLookupError):
                child.kill()
        _, words = await reading
        if b"Traceback" in words:
            raise RuntimeError(words.decode())
        # Windows has no SIGKILL: there a process that is ended so returns the signal's number.
        self.killed += child.returncode in (-9, 15)

    async def submit_twin(self) -> None:
        """Submit what this shot submits, but for the addresses of its media."""
        request = self.spec.request()
        urls = {
            role: [f"https://v3b.fal.media/files/b/0/twin_{index}" for index in range(len(media))]
            for role, media in request.media.items()
        }
        trusted = ssl.create_default_context(cafile=str(self.fal.authority))
        headers = {"Authorization": f"Key {self.fal.key}", "User-Agent": TWIN}
        async with httpx.AsyncClient(
            proxy=self.fal.url, verify=trusted, headers=headers, timeout=5
        ) as client:
            with suppress(httpx.HTTPError):
                endpoint = f"https://queue.fal.run/{self.spec.endpoint_id}"
                await client.post(endpoint, json=request.arguments(urls))
        await asyncio.sleep(TWIN_S)

    def _saved_path(self) -> Path | None:
        with BlockingLedger.open(self.home) as ledger:
            saved = [row for row in ledger.entries() if row.state is State.SAVED]
        return saved[0].file.path if saved else None

    def outcome(self, clip: Clip | None) -> dict[str, Any]:
        jobs = self._jobs()
        with BlockingLedger.open(self.home) as ledger:
            spent_usd = ledger.spent_since(0)
        found = [*job_problems(jobs), "there is no clip"]
        if clip:
            found = problems(self.fal, self.home, self.folder, self.first, clip)
        if any(self.fal.key.split(":")[1] in str(error) for error in self.errors):
            found.append("an error contains the key")
        return {
            "problems": found,
            "shots": 1,
            "jobs": len(jobs),
            "billed": sum(job["billed"] for job in jobs),
            "billed_usd": sum(job["price_usd"] for job in jobs if job["billed"]),
            "clips": int(clip is not None),
            "spent_usd": float(spent_usd),
            "killed": self.killed,
            "errors": [str(error) for error in self.errors],
        }
