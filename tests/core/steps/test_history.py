"""A request that fal no longer serves: its row ends by itself where fal's history says why."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.fal.client import Fal
from vidu.fal.history import RequestHistory
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import State
from vidu.progress import Phase

from ...support.shots import SHORT, interrupted, jobs_of, problems, run, shot, until


def newest(home):
    with BlockingLedger.open(home) as ledger:
        return ledger.entries()[0]


async def test_poll_request_cancelled_and_removed_at_fal_is_made_again_at_the_users_word(
    open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=3)
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=True)
    assert newest(vidu_home).state is State.CANCELLED
    await until(lambda: jobs_of(fal, shot())[0]["state"] == "COMPLETED")
    fal.set_faults("request_removed")
    with pytest.raises(errors.GenerationCancelledError, match="again to pay for a new") as caught:
        await run(shot(), vidu_home, clips)
    assert (caught.value.charge, len(jobs_of(fal, shot()))) == (errors.Charge.MAYBE_SPENT, 1)
    row = newest(vidu_home)
    assert (row.state, row.billed) == (State.FAILED, None)
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 2
    with BlockingLedger.open(vidu_home) as ledger:
        assert ledger.spent_since(0) == 2 * row.price_usd


async def test_poll_request_refused_and_expired_meanwhile_ends_with_its_reason(
    open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=1)
    fal.set_faults("content_policy_violation:1")
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=False)
    await until(lambda: jobs_of(fal, shot())[0]["state"] == "COMPLETED")
    fal.set_faults("status_expired,result_expired")
    with pytest.raises(errors.GenerationError, match=r"content checker|422"):
        await run(shot(), vidu_home, clips)
    assert newest(vidu_home).state is State.FAILED
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_poll_accepted_request_that_fal_forgot_is_not_paid_again_unasked(
    open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=1)
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=False)
    await until(lambda: jobs_of(fal, shot())[0]["state"] == "COMPLETED")
    fal.set_faults("request_removed")
    with pytest.raises(errors.ClipGoneError, match="not known whether fal charged"):
        await run(shot(), vidu_home, clips)
    assert len(jobs_of(fal, shot())) == 1


async def test_poll_request_that_fal_was_never_told_to_cancel_is_not_paid_again_unasked(
    open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=1, faults="cancel_500")
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=True)
    assert newest(vidu_home).state is State.SUBMITTED
    await until(lambda: jobs_of(fal, shot())[0]["billed"])
    fal.set_faults("request_removed")
    with pytest.raises(errors.ClipGoneError, match="not known whether fal charged"):
        await run(shot(), vidu_home, clips)
    assert len(jobs_of(fal, shot())) == 1


async def test_poll_cancelled_request_that_completed_is_not_paid_again_unasked(
    open_fal, vidu_home, clips, monkeypatch
):
    fal = open_fal(generation_seconds=1, faults="cancel_ignored")
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=True)
    assert newest(vidu_home).state is State.CANCELLED
    await until(lambda: jobs_of(fal, shot())[0]["billed"])

    async def is_not_listed_yet(*_given):
        return None

    fal.set_faults("result_expired")
    with monkeypatch.context() as patched:
        patched.setattr(RequestHistory, "output", is_not_listed_yet)
        with pytest.raises(errors.ClipGoneError, match="has ended") as caught:
            await run(shot(), vidu_home, clips)
    assert caught.value.charge is errors.Charge.MAYBE_SPENT
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert (clip.reused, problems(fal, vidu_home, clips, shot(), clip)) == (True, [])
    assert len(jobs_of(fal, shot())) == 1


async def test_poll_request_that_ended_between_two_runs_may_have_run(
    open_fal, vidu_home, clips, monkeypatch
):
    fal = open_fal(generation_seconds=1)
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=False)
    await until(lambda: jobs_of(fal, shot())[0]["state"] == "COMPLETED")
    told = []
    result = Fal.result

    async def note(self, handle, completed, *, may_have_run):
        told.append(may_have_run)
        return await result(self, handle, completed, may_have_run=may_have_run)

    monkeypatch.setattr(Fal, "result", note)
    await run(shot(), vidu_home, clips)
    assert told == [True]


async def test_retrieve_clip_at_another_address_is_found_in_the_history(fal, vidu_home, clips):
    (await run(shot(), vidu_home, clips)).path.unlink()
    address = newest(vidu_home).output.url
    with closing(sqlite3.connect(vidu_home / LEDGER_FILE)) as db, db:
        db.execute("UPDATE entries SET output_url = output_url || '.gone'")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert (clip.cost_usd, len(jobs_of(fal, shot()))) == (0, 1)
    assert newest(vidu_home).output.url == address


async def test_retrieve_clip_gone_behind_a_history_that_cannot_be_read_is_paid_for(
    fal, vidu_home, clips
):
    fal.set_faults("clip_gone,listing_unavailable")
    with pytest.raises(errors.ClipGoneError, match=r"history.*cannot be read") as caught:
        await run(shot(), vidu_home, clips)
    assert caught.value.charge is errors.Charge.SPENT
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


async def test_retrieve_clip_gone_from_the_address_in_the_history_is_not_asked_for_twice(
    fal, vidu_home, clips
):
    (await run(shot(), vidu_home, clips)).path.unlink()
    fal.set_faults("clip_gone")
    with pytest.raises(errors.ClipGoneError):
        await run(shot(), vidu_home, clips, settings=replace(SHORT, retry_timeout_s=0))
    assert fal.ledger()["counts"]["downloads"] == 2


async def test_retrieve_clip_gone_when_asked_with_another_key_asks_for_the_first_one(
    open_fal, vidu_home, clips
):
    open_fal()
    (await run(shot(), vidu_home, clips)).path.unlink()
    other = open_fal()
    with pytest.raises(errors.ClipGoneError, match=r"made with another.*Set the key") as caught:
        await run(shot(), vidu_home, clips)
    assert caught.value.charge is errors.Charge.CHARGED
    assert jobs_of(other, shot()) == []
