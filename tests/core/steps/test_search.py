"""A lost reply of the paid POST, and the search for its request."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest
from blocking_ledger import BlockingLedger

from vidu import Destination, errors, generate
from vidu.credentials import find_key
from vidu.fal.client import Fal
from vidu.ledger import open_ledger
from vidu.models import State
from vidu.progress import Phase

from ...support.shots import SHORT, jobs_of, problems, run, shot, switching_on, until


def submits(fal) -> dict[str, int]:
    return fal.ledger()["counts"]["submits"]


ACCEPTED = [
    "accepted_then_dropped",
    "accepted_but_silent",
    "accepted_then_500",
    "accepted_then_502",
    "accepted_then_504",
    "accepted_unreadable",
]


async def test_search_lost_reply_is_found_with_one_post(open_fal, vidu_home, clips):
    fal = open_fal(concurrency=50)

    async def lost(seed, fault):
        told = []
        switch = switching_on(fal, f"{fault}:1", Phase.SUBMITTING)

        def on_progress(progress):
            switch(progress)
            told.append(progress)

        clip = await run(shot(seed), vidu_home, clips, on_progress=on_progress)
        searching = [progress for progress in told if progress.phase is Phase.SEARCHING]
        assert searching[0].warning
        assert "paid request" in searching[0].text
        assert searching[-1].text == "Found the request at fal: going on with it"
        assert clip.cost_usd == Decimal("0.20")

    tasks = []
    for seed, fault in enumerate(ACCEPTED, start=1):
        tasks.append(asyncio.create_task(lost(seed, fault)))
        await until(lambda: jobs_of(fal, shot(seed)))  # noqa: B023 (called at once)
    await asyncio.gather(*tasks)
    assert submits(fal) == {"queue.fal.run": len(ACCEPTED)}
    assert fal.ledger()["counts"]["jobs"] == len(ACCEPTED)


@pytest.mark.parametrize("seeds", [(0, 7), (7, 0), (7, 8)])
async def test_search_lost_takes_of_one_image_each_find_their_own(seeds, fal, vidu_home, clips):
    fal.set_faults("accepted_then_dropped:2")
    async with (
        Fal(find_key(vidu_home).secret, SHORT) as provider,
        open_ledger(vidu_home) as ledger,
    ):
        destination = Destination(clips, "clip")
        takes = [
            generate(shot(seed), provider, ledger, destination, settings=SHORT) for seed in seeds
        ]
        made = await asyncio.gather(*takes)
    jobs = {job["request_id"]: job["input"].get("seed", 0) for job in fal.ledger()["jobs"]}
    assert {clip.request_id: clip.seed for clip in made} == jobs


async def test_search_with_a_clock_hours_off_finds_the_request(fal, tmp_path, clips):
    def by_a_wrong_clock() -> float:
        return time.time() - 9 * 3600

    fal.set_faults("accepted_then_dropped:1")
    async with (
        Fal(find_key(tmp_path).secret, SHORT) as provider,
        open_ledger(tmp_path, now=by_a_wrong_clock) as ledger,
    ):
        destination = Destination(clips, "clip")
        await generate(shot(), provider, ledger, destination, settings=SHORT)
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_search_without_a_history_asks_the_user(fal, vidu_home, clips):
    fal.set_faults("accepted_then_dropped:1,listing_unavailable")
    for _ in range(2):
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            await run(shot(), vidu_home, clips)
        assert "not known whether fal charged" in str(caught.value)
        assert "does not repeat the request" in caught.value.message
        assert "forget 1 --home" in caught.value.next_step
        assert submits(fal) == {"queue.fal.run": 1}
    fal.set_faults("")
    await until(lambda: fal.ledger()["jobs"][0]["billed"])
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])


async def test_search_request_that_never_arrived_is_made_again_after_its_longest_life(
    fal, vidu_home, clips
):
    fal.set_faults("submit_reset:1")
    told = []
    clip = await run(shot(), vidu_home, clips, on_progress=told.append)
    assert submits(fal) == {"queue.fal.run": 2}
    with BlockingLedger.open(vidu_home) as ledger:
        again, lost = ledger.entries()
    assert (lost.state, lost.billed) == (State.FAILED, False)
    assert again.submitting_at - lost.submitting_at > SHORT.max_lifetime_s()
    assert any("never reached fal" in progress.text for progress in told)
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_submit_dead_primary_domain_is_passed_by_with_one_post(fal, vidu_home, clips):
    fal.set_faults("primary_dead")
    clip = await run(shot(), vidu_home, clips)
    assert submits(fal) == {"queue.falrun.com": 1}
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_submit_redirect_is_not_followed(fal, vidu_home, clips):
    fal.set_faults("submit_307:1")
    with pytest.raises(errors.ApiStatusError, match=r"307.*Nothing was charged"):
        await run(shot(), vidu_home, clips)
    assert submits(fal) == {"queue.fal.run": 1}
    assert problems(fal, vidu_home, clips, shot(), await run(shot(), vidu_home, clips)) == []


async def test_submit_strange_urls_in_the_reply_get_no_key(fal, vidu_home, clips):
    fal.set_faults("accepted_strange_urls:1")
    clip = await run(shot(), vidu_home, clips)
    assert fal.ledger()["refused"] == []
    assert problems(fal, vidu_home, clips, shot(), clip) == []
