"""A process killed (SIGKILL) beside each step of the ledger and each call of the platform.

Then the same shot is run again. Whatever was interrupted: no second job while the first may be
alive or was billed, and its clip comes home whole.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

import local_fal
from vidu.errors import ViduError
from vidu.generate import Clip
from vidu.ledger import Ledger

from .shots import SHORT, findings, jobs_of, run, shot

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("crash_child.py")
RUNS = 4
AT_ONCE = 4


@dataclass(frozen=True)
class Way:
    """A way a run may take: the steps on it, what makes it go there, and how many jobs it needs."""

    steps: tuple[str, ...]
    faults: str = ""
    phase: str = ""
    jobs: tuple[int, ...] = (1,)


WAYS = (
    Way(("intend", "upload", "posting", "submit", "submitted", "status", "result", "finished")),
    Way(("fetch", "kept")),
    Way(("find",), faults="accepted_then_502:1"),
    Way(("find_output",), faults="result_expired:1"),
    Way(("failed",), faults="content_policy_violation:1", jobs=(2,)),
    Way(("failed",), faults="submit_429:1"),
    # Killed before it could cancel, the job goes on; killed after, it was cancelled, free.
    Way(("cancelled", "cancel"), faults="slow:1", phase="generating", jobs=(1, 2)),
)
CELLS = [
    pytest.param(way, f"{when}:{step}", id=f"{when}-{step}{'-' + way.faults if way.faults else ''}")
    for way in WAYS
    for step in way.steps
    for when in ("before", "after")
]


@dataclass(frozen=True)
class Scene:
    fal: local_fal.LocalFal
    home: Path
    folder: Path

    def child(self, seed: int, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, CHILD, self.home, self.folder, str(seed), *options],
            env={**os.environ, **self.fal.environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def scenes(request, tmp_path_factory, bare_environment) -> Iterator[dict[str, Scene]]:
    """The scene of each cell, its process killed: they run side by side, each with its own fal."""
    chosen = {
        item.callspec.id: item.callspec.params
        for item in request.session.items
        if item.path == request.path and "way" in getattr(item, "fixturenames", ())
    }
    with ExitStack() as running:
        scenes = {}
        for name, cell in chosen.items():
            options = {"generation_seconds": 0.2, "clip_size": (64, 48), "clip_frames": 8}
            fal = running.enter_context(local_fal.running(**options, faults=cell["way"].faults))
            place = tmp_path_factory.mktemp(name.replace(":", "_"))
            scenes[name] = Scene(fal, place / "home", place / "clips")

        def kill(name: str) -> None:
            way, moment = chosen[name]["way"], chosen[name]["moment"]
            child = scenes[name].child(1, moment, *filter(None, [way.phase]))
            _, words = child.communicate()
            # Windows has no SIGKILL: there a process that is ended so returns the signal's number.
            assert child.returncode in (-9, 15), f"{name} was not killed: {words}"

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(kill, scenes))
        yield scenes


@pytest.mark.parametrize(("way", "moment"), CELLS)
async def test_killed_there_and_run_again(way, moment, scenes, request, monkeypatch):
    scene = scenes[request.node.callspec.id]
    for name, value in scene.fal.environment.items():
        monkeypatch.setenv(name, value)
    clip = await until_it_succeeds(scene)
    found = findings(scene.fal, scene.home, scene.folder, shot(), clip)
    if moment == "before:kept":
        # Killed between the file's last byte and its row, the whole file may stand there twice.
        found = [each for each in found if not each.startswith("beside the clip")]
    assert found == []
    assert len(jobs_of(scene.fal, shot())) in way.jobs
    assert list(scene.folder.glob(".*")) == []


async def until_it_succeeds(scene: Scene) -> Clip:
    for _ in range(RUNS - 1):
        try:
            return await run(shot(), scene.home, scene.folder)
        except ViduError:
            continue
    return await run(shot(), scene.home, scene.folder)


async def test_what_was_reserved_by_a_killed_run_is_asked_for_anew_by_its_shot(fal, tmp_path):
    scene = Scene(fal, tmp_path / "home", tmp_path / "clips")
    child = scene.child(1, "before:upload")
    child.communicate()
    with Ledger.open(scene.home) as ledger:
        assert ledger.spent_today() == Decimal("0.20")
    # The reservation is the shot's own, and does not stand in its way.
    settings = replace(SHORT, daily_budget_usd=Decimal("0.20"))
    clip = await run(shot(), scene.home, scene.folder, settings=settings)
    assert findings(fal, scene.home, scene.folder, shot(), clip) == []


async def test_killed_again_and_again(fal, tmp_path):
    scene = Scene(fal, tmp_path / "home", tmp_path / "clips")
    for moment in ("after:intend", "after:submit", "after:find", "after:result", "after:fetch"):
        child = scene.child(1, moment)
        await asyncio.to_thread(child.communicate)
        assert child.returncode in (-9, 15), moment
    clip = await run(shot(), scene.home, scene.folder)
    assert findings(fal, scene.home, scene.folder, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1
