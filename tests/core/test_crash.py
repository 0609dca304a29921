"""A process killed at any moment of a shot, eight at once on one shot, and five hundred shots."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import local_fal
from vidu import Clip, Fal, Ledger, Settings, State, ViduError, find_key, generate, image_to_video
from vidu.clip import check

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("crash_child.py")
MOMENTS = [
    f"{when}:{what}"
    for what in (
        *("intend", "upload", "posting", "submit", "submitted"),
        *("status", "result", "finished", "fetch", "kept"),
    )
    for when in ("before", "after")
]
SHOTS = 500
FAULTY = 0.05
# Faults of one request each, which a shot must get past.
PASSING = (
    "accepted_then_dropped",
    "accepted_then_502",
    "upload_500",
    "status_500",
    "status_reset",
    "result_502",
    "download_broken",
    "short",
    "truncated",
    "clip_gone",
    "expired_token",
)


@pytest.fixture(scope="module")
def fal() -> Iterator[local_fal.LocalFal]:
    with local_fal.running(
        generation_seconds=0.2, concurrency=100, clip_size=(64, 48), clip_frames=8
    ) as running:
        yield running


def child(fal: local_fal.LocalFal, home: Path, seed: int, moment: str = "") -> subprocess.Popen:
    environment = {**os.environ, **fal.environment, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, CHILD, home, str(seed), *([moment] if moment else [])],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def jobs_of(fal: local_fal.LocalFal, seed: int) -> list[dict]:
    return [job for job in fal.ledger()["jobs"] if job["input"]["seed"] == seed]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_process_killed_at_any_moment_costs_nothing_and_loses_nothing(fal, tmp_path):
    homes = {moment: tmp_path / moment.replace(":", "_") for moment in MOMENTS}
    seeds = {moment: index for index, moment in enumerate(MOMENTS, start=1)}
    killed = {moment: child(fal, homes[moment], seeds[moment], moment) for moment in MOMENTS}
    assert {moment: process.wait(60) for moment, process in killed.items()} == dict.fromkeys(
        MOMENTS, -9
    )
    again = {moment: child(fal, homes[moment], seeds[moment]) for moment in MOMENTS}
    for moment, process in again.items():
        printed, _ = process.communicate(timeout=90)
        assert process.returncode == 0, moment
        check(Path(printed.strip()))
        assert len(jobs_of(fal, seeds[moment])) == 1, moment
        assert not list(homes[moment].glob(".*.part")), moment


def test_eight_processes_on_one_shot_share_one_job_and_one_clip(fal, tmp_path):
    runners = [child(fal, tmp_path, 1000) for _ in range(8)]
    printed = {runner.communicate(timeout=90)[0] for runner in runners}
    assert [runner.returncode for runner in runners] == [0] * 8
    assert len(printed) == 1
    check(Path(printed.pop().strip()))
    assert len(jobs_of(fal, 1000)) == 1


async def test_five_hundred_shots_with_faults_are_five_hundred_jobs_and_clips(
    fal, tmp_path, monkeypatch
):
    fal.reset()
    for name, value in fal.environment.items():
        monkeypatch.setenv(name, value)
    chance = random.Random(7)
    faults = Counter(chance.choice(PASSING) for _ in range(SHOTS) if chance.random() < FAULTY)
    fal.set_faults(",".join(f"{name}:{times}" for name, times in faults.items()))
    settings = Settings(generation_limit_s=Decimal(30), queue_limit_s=Decimal(30))
    pixels = np.zeros((48, 64, 3), np.uint8)

    def names(width: int, height: int) -> Iterator[Path]:
        return (tmp_path / f"clip_{number:05}.mp4" for number in range(1, SHOTS + 1))

    async with Fal(find_key(tmp_path).secret, settings) as platform:
        with Ledger.open(tmp_path) as ledger:
            at_once = asyncio.Semaphore(100)

            async def shot(seed: int) -> Clip:
                async with at_once:
                    request = image_to_video(pixels, "waves", seed=seed)
                    for _ in range(3):
                        try:
                            return await generate(
                                request, platform, ledger, names, settings=settings
                            )
                        except ViduError:
                            continue
                    return await generate(request, platform, ledger, names, settings=settings)

            clips = await asyncio.gather(*(shot(seed) for seed in range(1, SHOTS + 1)))
            states = Counter(entry.state for entry in ledger.entries())
    jobs = fal.ledger()["jobs"]
    assert sum(faults.values()) > SHOTS * FAULTY / 2
    assert len(jobs) == SHOTS
    assert Counter(job["input"]["seed"] for job in jobs) == Counter(range(1, SHOTS + 1))
    assert len({clip.path for clip in clips}) == SHOTS
    assert {clip.request_id for clip in clips} == {job["request_id"] for job in jobs}
    assert states[State.KEPT] == SHOTS
    assert set(states) <= {State.KEPT, State.FAILED}
    for clip in clips:
        check(clip.path)
    assert not list(tmp_path.glob(".*.part"))
