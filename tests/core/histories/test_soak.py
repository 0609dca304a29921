"""Five hundred shots with random faults: five hundred jobs, five hundred clips, no orphan."""

from __future__ import annotations

import asyncio
import random

import pytest

from vidu import Clip, Destination, Settings, generate, open_session
from vidu.errors import ViduError
from vidu.media.video import check
from vidu.models import State

from ...support.shots import job_problems, shot

pytestmark = pytest.mark.timeout(1800)  # all histories of the file are run at once

SHOTS = 500
AT_ONCE = 100
FAULTY = 0.05
RUNS = 4
SEED = 7

# What strikes one request and is over; a shot must get past it without a second job.
PASSING_FAULTS = (
    *("accepted_then_dropped", "accepted_then_500", "accepted_then_502", "accepted_unreadable"),
    *("token_503", "upload_500", "upload_reset", "expired_token", "submit_429"),
    *("status_500", "status_502", "status_429", "status_reset", "status_expired"),
    *("result_500", "result_502", "result_reset", "result_expired"),
    *("download_500", "download_reset", "download_broken", "short", "truncated", "empty", "html"),
    *("clip_gone", "redirect", "redirect_to_private"),
)


async def test_soak_of_500_shots_makes_500_jobs_and_clips(open_fal, vidu_home, clips, tally):
    fal = open_fal(generation_seconds=0.01, concurrency=AT_ONCE)
    rng, settings = random.Random(SEED), Settings()
    at_once = asyncio.Semaphore(AT_ONCE)

    async with open_session(vidu_home, settings) as (provider, ledger):

        async def bring(seed: int) -> Clip:
            options = {"destination": Destination(clips, "clip"), "settings": settings}
            async with at_once:
                if rng.random() < FAULTY:
                    fal.set_faults(f"{rng.choice(PASSING_FAULTS)}:1")
                for _ in range(RUNS - 1):
                    try:
                        return await generate(shot(seed), provider, ledger, **options)
                    except ViduError:
                        continue
                return await generate(shot(seed), provider, ledger, **options)

        made = await asyncio.gather(*(bring(seed) for seed in range(1, SHOTS + 1)))
        saved = [entry for entry in await ledger.entries() if entry.state is State.SAVED]
        unfinished = await ledger.unfinished()

    told = fal.ledger()
    jobs = {job["input"]["seed"]: job for job in told["jobs"]}
    assert len(jobs) == len(told["jobs"]) == SHOTS
    assert [finding for job in jobs.values() for finding in job_problems([job])] == []
    assert [clip.request_id for clip in made] == [
        jobs[seed]["request_id"] for seed in range(1, SHOTS + 1)
    ]
    assert set(clips.iterdir()) == {clip.path for clip in made}
    assert len({clip.path for clip in made}) == SHOTS
    assert {entry.request_id for entry in saved} == {clip.request_id for clip in made}
    assert (len(saved), unfinished) == (SHOTS, [])
    assert {check(clip.path).frame_count for clip in made} == {8}
    struck = [each for each in told["requests"] if (each["status"] or 500) >= 400]
    assert len(struck) > SHOTS * FAULTY / 4
    tally({"shots": SHOTS, "jobs": len(jobs), "clips": len(set(clips.iterdir()))})
