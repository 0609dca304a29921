"""An interrupt in each phase: by the user, who cancels at fal, too, or by a teardown, which not.

Whatever was interrupted, the same shot run again asks first what became of it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from blocking_ledger import BlockingLedger

from vidu.media.mux import write_clip
from vidu.models import State
from vidu.progress import Phase

from ...support.shots import SHORT, interrupted, jobs_of, problems, run, shot, switching_on, until

BOTH = pytest.mark.parametrize("by_user", [True, False], ids=["user", "teardown"])
PATIENT = replace(SHORT, queue_limit_s=9.0, read_timeout_s=9.0)


def state_of(home) -> tuple[State, bool | None]:
    with BlockingLedger.open(home) as ledger:
        (entry,) = ledger.entries()
        return entry.state, entry.billed


def cancels(fal) -> int:
    return fal.ledger()["counts"]["cancels"]


@BOTH
async def test_cancel_while_uploading_sends_nothing(by_user, fal, vidu_home, clips):
    fal.set_faults("upload_timeout:1")
    await interrupted(shot(), vidu_home, clips, Phase.UPLOADING, by_user=by_user, after_s=0.3)
    assert state_of(vidu_home) == (State.FAILED, False)
    assert (fal.ledger()["counts"]["submits"], cancels(fal)) == ({}, 0)
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (False, [])
    assert len(jobs_of(fal, shot())) == 1


@BOTH
async def test_cancel_while_the_post_waits_follows_it_to_its_reply(
    by_user, open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=5)
    fal.set_faults("slow_accept:1")
    options = {"by_user": by_user, "after_s": 0.3, "settings": PATIENT}
    await interrupted(shot(), vidu_home, clips, Phase.SUBMITTING, **options)
    assert state_of(vidu_home)[0] is (State.CANCELLED if by_user else State.SUBMITTED)
    assert cancels(fal) == by_user
    assert len(jobs_of(fal, shot())) == 1


async def test_cancel_while_the_reply_names_another_request_leaves_that_one_alone(
    open_fal, vidu_home, clips, tmp_path
):
    fal = open_fal(generation_seconds=5)
    settings = replace(PATIENT, generation_limit_s=30.0)
    other = asyncio.create_task(run(shot(9), vidu_home, tmp_path / "other", settings=settings))
    await until(lambda: jobs_of(fal, shot(9)))
    fal.set_faults("accepted_as_first:1,slow_accept:1")
    told = []
    options = {"cancelled_by_user": lambda: True, "on_progress": told.append}
    task = asyncio.create_task(run(shot(), vidu_home, clips, settings=settings, **options))
    await until(lambda: jobs_of(fal, shot()))
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert cancels(fal) == 0
    assert "could not be cancelled" in told[-1].text
    assert problems(fal, vidu_home, tmp_path / "other", shot(9), await other) == []
    clip = await run(shot(), vidu_home, clips, settings=settings)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


@BOTH
async def test_cancel_while_the_post_stays_silent_leaves_it_to_the_next_run(
    by_user, fal, vidu_home, clips
):
    fal.set_faults("accepted_but_silent:1")
    options = {"by_user": by_user, "after_s": 0.3, "settings": PATIENT}
    await interrupted(shot(), vidu_home, clips, Phase.SUBMITTING, **options)
    assert state_of(vidu_home) == (State.SUBMITTING, None)
    assert cancels(fal) == 0  # without a request id there is nothing to cancel
    await until(lambda: jobs_of(fal, shot())[0]["billed"])
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])
    assert len(jobs_of(fal, shot())) == 1


@BOTH
async def test_cancel_while_the_post_still_connects_sends_nothing(
    by_user, open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=1.5)
    await interrupted(shot(), vidu_home, clips, Phase.SUBMITTING, by_user=by_user)
    assert state_of(vidu_home) == (State.FAILED, False)
    assert (fal.ledger()["counts"]["submits"], cancels(fal)) == ({}, 0)
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


@BOTH
async def test_cancel_while_queued_removes_the_request_unbilled(
    by_user, open_fal, vidu_home, clips
):
    fal = open_fal(concurrency=1, generation_seconds=1.0)
    other = asyncio.create_task(run(shot(9), vidu_home / "other", clips))
    await until(lambda: fal.ledger()["most_running"] == 1)
    options = {"by_user": by_user, "settings": PATIENT}
    await interrupted(shot(), vidu_home, clips, Phase.QUEUED, **options)
    # fal removes what is queued: it is over, and known to be free.
    assert state_of(vidu_home) == ((State.FAILED, False) if by_user else (State.SUBMITTED, None))
    assert cancels(fal) == by_user
    if by_user:
        assert jobs_of(fal, shot())[0]["status_code"] == 499
    (await other).path.unlink()
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (not by_user, [])
    assert len(jobs_of(fal, shot())) == 1 + by_user


@BOTH
async def test_cancel_while_generating_is_passed_to_fal(by_user, open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=1.5)
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=by_user)
    assert state_of(vidu_home)[0] is (State.CANCELLED if by_user else State.SUBMITTED)
    assert cancels(fal) == by_user
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (not by_user, [])
    assert len(jobs_of(fal, shot())) == 1 + by_user


@pytest.mark.parametrize(
    "fault", ["cancel_ignored", "cancel_reset", "cancel_500", "cancel_502", "cancel_timeout"]
)
async def test_cancel_that_fal_does_not_heed_brings_the_clip_free(
    fault, open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=1.5, faults=fault)
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=True)
    # A cancel request that fails is sent again within its five seconds.
    assert cancels(fal) == 1 if fault == "cancel_ignored" else cancels(fal) > 1
    # One that fal never received has cancelled nothing.
    heard = State.CANCELLED if fault == "cancel_ignored" else State.SUBMITTED
    assert state_of(vidu_home)[0] is heard
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, clip.cost_usd) == (True, 0)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


async def test_cancel_that_fal_answers_with_not_found_is_told(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=5)
    told = []
    options = {"settings": PATIENT, "cancelled_by_user": lambda: True, "on_progress": told.append}
    task = asyncio.create_task(run(shot(), vidu_home, clips, **options))
    await until(lambda: any(each.phase is Phase.GENERATING for each in told))
    fal.set_faults("request_removed")
    task.cancel()
    await asyncio.wait({task})
    (warning,) = [each for each in told if each.warning]
    assert "could not be cancelled at fal" in warning.text
    assert state_of(vidu_home)[0] is State.SUBMITTED
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips, settings=PATIENT)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


async def test_cancel_that_comes_too_late_brings_the_clip_free(fal, vidu_home, clips):
    fal.set_faults("status_timeout")
    options = {"settings": PATIENT, "cancelled_by_user": lambda: True}
    task = asyncio.create_task(run(shot(), vidu_home, clips, **options))
    await until(lambda: fal.ledger()["jobs"] and fal.ledger()["jobs"][0]["billed"])
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert cancels(fal) >= 1  # a second one goes out where the answer to the first is slow
    assert state_of(vidu_home)[0] is State.SUBMITTED
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])
    assert len(jobs_of(fal, shot())) == 1


async def test_cancel_of_a_cancelled_shot_run_again_is_passed_to_fal(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=9, faults="cancel_500:5")  # as often as one cancel is sent
    for _ in range(2):
        await interrupted(
            shot(), vidu_home, clips, Phase.GENERATING, by_user=True, settings=PATIENT
        )
    assert cancels(fal) == 6
    clip = await run(shot(), vidu_home, clips, settings=replace(PATIENT, generation_limit_s=20.0))
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (False, [])
    assert [job["billed"] for job in jobs_of(fal, shot())] == [False, True]


@BOTH
async def test_cancel_while_searching_leaves_the_search_to_the_next_run(
    by_user, fal, vidu_home, clips
):
    fal.set_faults("accepted_then_502:1,slow:1")
    options = {"by_user": by_user, "after_s": 0.2}
    await interrupted(shot(), vidu_home, clips, Phase.SEARCHING, **options)
    assert state_of(vidu_home) == (State.SUBMITTING, None)
    await until(lambda: jobs_of(fal, shot())[0]["billed"])
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])
    assert len(jobs_of(fal, shot())) == 1


@BOTH
async def test_cancel_while_downloading_leaves_the_clip_to_the_next_run(
    by_user, fal, vidu_home, clips
):
    fal.set_faults("download_stalled:1")
    options = {"by_user": by_user, "after_s": 0.3, "settings": PATIENT}
    await interrupted(shot(), vidu_home, clips, Phase.DOWNLOADING, **options)
    assert state_of(vidu_home)[0] is State.FINISHED
    assert cancels(fal) == 0
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])


@BOTH
async def test_cancel_while_saving_saves_and_records_the_clip(
    by_user, fal, vidu_home, clips, monkeypatch
):
    loop, keeping = asyncio.get_running_loop(), asyncio.Event()

    def save_slowly(*given):
        loop.call_soon_threadsafe(keeping.set)
        time.sleep(0.7)
        return write_clip(*given)

    monkeypatch.setattr("vidu.steps.retrieve.write_clip", save_slowly)
    options = {"cancelled_by_user": lambda: by_user}
    task = asyncio.create_task(run(shot(), vidu_home, clips, **options))
    await keeping.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert state_of(vidu_home)[0] is State.SAVED
    before = len(fal.ledger()["requests"])
    clip = await run(shot(), vidu_home, clips)
    assert len(fal.ledger()["requests"]) == before
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_cancel_while_waiting_cancels_nothing_of_the_other_run(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=1.5)
    first = asyncio.create_task(run(shot(), vidu_home, clips))
    await until(lambda: jobs_of(fal, shot()))
    await interrupted(shot(), vidu_home, clips, Phase.WAITING, by_user=True)
    assert cancels(fal) == 0
    clip = await first
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_cancel_of_several_shots_reaches_each(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=1.5)
    options = {"settings": PATIENT, "cancelled_by_user": lambda: True}
    runs = [
        asyncio.create_task(run(shot(seed), vidu_home, clips, **options)) for seed in range(1, 5)
    ]
    await until(lambda: sum(bool(job["polls"]) for job in fal.ledger()["jobs"]) == 4)
    for each in runs:
        each.cancel()
    await asyncio.wait(runs)
    assert [each.cancelled() for each in runs] == [True] * 4
    ledger = fal.ledger()
    assert [job["status_code"] for job in ledger["jobs"]] == [499] * 4
    assert ledger["billed_usd"] == 0


async def test_cancel_by_a_siblings_failure_is_not_passed_to_fal(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=1.0, faults="content_policy_violation:1")
    broken = asyncio.create_task(run(shot(2), vidu_home, clips))
    await until(lambda: jobs_of(fal, shot(2)))
    # As ComfyUI does: the first failure tears the prompt's other nodes down.
    sibling = asyncio.create_task(run(shot(1), vidu_home, clips))
    await asyncio.wait({broken})
    sibling.cancel()
    await asyncio.wait({sibling})
    assert broken.exception() is not None
    assert cancels(fal) == 0
    clip = await run(shot(1), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(1), clip)) == (True, [])


async def test_resume_after_cancel_with_a_fault_brings_one_clip(fal, vidu_home, clips):
    fal.set_faults("slow:1")
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=False)
    on_progress = switching_on(fal, "download_broken:1", Phase.DOWNLOADING)
    clip = await run(shot(), vidu_home, clips, on_progress=on_progress)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])
