"""Waiting for a request: how often it is asked for, and for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from vidu import errors
from vidu.errors import Charge
from vidu.progress import Phase

from ...support.shots import SHORT, interrupted, jobs_of, problems, run, shot, switching_on, until


async def test_poll_asks_once_a_second_and_sees_the_end_soon(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=2.4)
    patient = replace(SHORT, queue_limit_s=9.0)
    runs = (run(shot(seed), vidu_home, clips, settings=patient) for seed in (1, 2, 3))
    await asyncio.gather(*runs)
    ledger = fal.ledger()
    for job in ledger["jobs"]:
        assert len(job["polls"]) >= 3
        assert min(later - earlier for earlier, later in pairwise(job["polls"])) >= 1
        result = f"/fal-ai/vidu/requests/{job['request_id']}"
        (fetched,) = (each["at"] for each in ledger["requests"] if each["path"] == result)
        assert fetched - job["ended_at"] <= 1.5


async def test_generate_retry_after_is_honored(fal, vidu_home, clips):
    fal.set_faults("status_429:1,result_429:1,download_429:1")
    clip = await run(shot(), vidu_home, clips, settings=replace(SHORT, retry_timeout_s=9.0))
    asked_s = 2  # local_fal's Retry-After, longer than our own first delay
    limited = [pair for pair in pairwise(fal.ledger()["requests"]) if pair[0]["status"] == 429]
    assert len(limited) == 3
    for refused, again in limited:
        assert again["path"] == refused["path"]
        assert again["at"] - refused["at"] >= asked_s
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_poll_beyond_the_queue_limit_stops_and_loses_nothing(fal, vidu_home, clips):
    patient = replace(SHORT, queue_limit_s=60.0)
    fal.set_faults("slow")
    others = [asyncio.create_task(run(shot(seed), vidu_home, clips)) for seed in (8, 9)]
    await until(lambda: fal.ledger()["most_running"] == 2)
    fal.set_faults("")
    options = {"by_user": False, "settings": patient}
    await interrupted(shot(), vidu_home, clips, Phase.QUEUED, **options)
    with pytest.raises(errors.QueueTimeoutError) as caught:
        await run(shot(), vidu_home, clips, settings=replace(SHORT, queue_limit_s=0.1))
    assert "fal charges once if it finishes" in str(caught.value)
    clip = await run(shot(), vidu_home, clips, settings=patient)
    assert problems(fal, vidu_home, clips, shot(), clip)[:-1] == []
    await asyncio.gather(*others)


async def test_poll_request_that_fal_ends_in_the_queue_is_unbilled(fal, vidu_home, clips):
    fal.set_faults("stuck_in_queue:1")
    with pytest.raises(errors.GenerationError, match=r"queue limit\. Nothing was charged"):
        await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), await run(shot(), vidu_home, clips)) == []


async def test_poll_beyond_the_generation_limit_stops_and_loses_nothing(fal, vidu_home, clips):
    fal.set_faults("slow:1")
    with pytest.raises(errors.GenerationTimeoutError, match="fal charges once if it finishes"):
        await run(shot(), vidu_home, clips, settings=replace(SHORT, generation_limit_s=0.5))
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])


async def test_poll_outage_longer_than_the_limit_loses_nothing(fal, vidu_home, clips):
    on_progress = switching_on(fal, "status_reset", Phase.SUBMITTING)
    with pytest.raises(errors.ConnectionFailedError, match="connection was closed") as caught:
        await run(shot(), vidu_home, clips, on_progress=on_progress)
    assert caught.value.charge is Charge.PENDING
    assert caught.value.request_id == jobs_of(fal, shot())[0]["request_id"]
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])
