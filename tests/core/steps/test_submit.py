"""The paid POST: written down, sent once, and followed to its reply whatever ends the run."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest

from vidu.builders import text_to_video
from vidu.credentials import find_key
from vidu.destination import Destination
from vidu.fal.client import Fal
from vidu.generate import generate
from vidu.ledger import open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import State
from vidu.progress import Phase

from ...support.blocking_ledger import read_entries
from ...support.shots import SHORT, interrupted, jobs_of, problems, run, shot, until

PATIENT = replace(SHORT, read_timeout_s=10.0, queue_limit_s=60.0, generation_limit_s=60.0)


def cancels(fal) -> int:
    return fal.ledger()["counts"]["cancels"]


# Cancelled while it is under way.


@pytest.mark.parametrize("by_user", [True, False])
def test_submit_under_way_when_its_loop_ends_is_followed_to_its_reply(
    by_user, open_fal, vidu_home, clips
):
    """ComfyUI waits 0.7 s after Cancel; then its loop ends and cancels every task of it."""
    fal = open_fal(generation_seconds=20)
    fal.set_faults("slow_accept:1")
    told = []

    async def prompt() -> None:
        options = {"cancelled_by_user": lambda: by_user, "on_progress": told.append}
        task = asyncio.create_task(run(shot(), vidu_home, clips, settings=PATIENT, **options))
        await until(lambda: jobs_of(fal, shot()))
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)
        assert not task.done()

    asyncio.run(prompt())
    (job,) = jobs_of(fal, shot())
    (row,) = read_entries(vidu_home)
    assert row.request_id == job["request_id"]
    assert cancels(fal) == by_user
    if by_user:
        assert (row.state in (State.CANCELLED, State.FAILED), job["billed"]) == (True, False)
    else:
        assert row.state is State.SUBMITTED
    assert not [progress for progress in told if progress.warning]


async def test_submit_cancelled_before_a_byte_left_sends_nothing(fal, vidu_home, clips):
    connecting, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(Fal):
        async def submit(self, endpoint, arguments, *, before_sending):
            async def wait_for_the_connection():
                loop.call_soon_threadsafe(connecting.set)
                await asyncio.to_thread(go_on.wait)
                await before_sending()

            return await super().submit(endpoint, arguments, before_sending=wait_for_the_connection)

    async with Slow(find_key(vidu_home).secret, SHORT) as slow, open_ledger(vidu_home) as ledger:
        destination = Destination(clips, "clip")
        task = asyncio.create_task(generate(shot(), slow, ledger, destination, settings=SHORT))
        await connecting.wait()
        task.cancel()
        await asyncio.sleep(0.1)
        go_on.set()
        await asyncio.wait({task})
    assert task.cancelled()
    assert fal.ledger()["counts"]["jobs"] == 0
    assert [(row.state, row.billed) for row in read_entries(vidu_home)] == [(State.FAILED, False)]


async def test_submit_cancelled_with_a_locked_ledger_is_cancelled_at_fal_at_once(
    open_fal, vidu_home, clips
):
    fal = open_fal(generation_seconds=20)
    held = []

    class Busy(Fal):
        async def submit(self, endpoint, arguments, *, before_sending):
            handle = await super().submit(endpoint, arguments, before_sending=before_sending)
            db = sqlite3.connect(
                vidu_home / LEDGER_FILE, isolation_level=None, check_same_thread=False
            )
            db.execute("BEGIN IMMEDIATE")
            held.append(db)
            return handle

    async with Busy(find_key(vidu_home).secret, PATIENT) as busy, open_ledger(vidu_home) as ledger:
        options = {"settings": PATIENT, "cancelled_by_user": lambda: True}
        task = asyncio.create_task(
            generate(shot(), busy, ledger, Destination(clips, "clip"), **options)
        )
        await until(lambda: held)
        task.cancel()
        await until(lambda: cancels(fal))
        assert not task.done()
        held.pop().close()
        await asyncio.wait({task})
    (job,) = jobs_of(fal, shot())
    assert (job["billed"], read_entries(vidu_home)[0].request_id) == (False, job["request_id"])


async def test_cancel_that_fal_does_not_take_is_told_as_a_warning(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=2)
    told = []

    def on_progress(progress):
        told.append(progress)
        if progress.phase is Phase.GENERATING:
            fal.set_faults("cancel_reset")

    options = {"on_progress": on_progress, "cancelled_by_user": lambda: True}
    task = asyncio.create_task(run(shot(), vidu_home, clips, **options))
    await until(lambda: any(progress.phase is Phase.GENERATING for progress in told))
    task.cancel()
    await asyncio.wait({task})
    (warning,) = [progress.text for progress in told if progress.warning]
    (job,) = jobs_of(fal, shot())
    assert warning.startswith(f"Request {job['request_id']} could not be cancelled at fal")
    assert "Run the same shot again to get its clip" in warning
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


# Not sent.


async def test_submit_on_a_machine_that_slept_is_written_down_again(
    fal, vidu_home, clips, monkeypatch
):
    monkeypatch.setattr("vidu.steps.send_gate.LONGEST_PAUSE_S", 1.0)

    naps_s = [1.5]

    class Sleepy(Fal):
        async def submit(self, endpoint, arguments, *, before_sending):
            if naps_s:
                await asyncio.sleep(naps_s.pop())
            return await super().submit(endpoint, arguments, before_sending=before_sending)

    async with (
        Sleepy(find_key(vidu_home).secret, SHORT) as sleepy,
        open_ledger(vidu_home) as ledger,
    ):
        clip = await generate(shot(), sleepy, ledger, Destination(clips, "clip"), settings=SHORT)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert fal.ledger()["counts"]["submits"] == {"queue.fal.run": 1}
    kept, slept = read_entries(vidu_home)
    assert (kept.state, slept.state, slept.billed) == (State.SAVED, State.FAILED, False)
    assert "slept" in slept.failure


def text_shot(seed: int = 0):
    return text_to_video("The tide comes in", model="Q1", seed=seed)


async def test_submit_without_media_draws_the_seed_and_says_it(fal, vidu_home, clips):
    clip = await run(text_shot(), vidu_home, clips)
    (job,) = fal.ledger()["jobs"]
    assert job["input"]["seed"] == clip.seed >= 1
    again = await run(text_shot(), vidu_home, clips)
    assert (again.path, again.seed, again.cost_usd) == (clip.path, clip.seed, 0)


@pytest.mark.parametrize("seed", [0, 7])
async def test_search_without_media_is_not_answered_with_an_older_twin(
    seed, open_fal, tmp_path, clips
):
    """The same words and, with seed 7, the same seed, made by the same account before."""
    fal = open_fal(concurrency=9)
    twin = await run(text_shot(seed), tmp_path / "home", clips / "twin")
    with closing(sqlite3.connect(tmp_path / "home" / LEDGER_FILE)) as db, db:
        db.execute("UPDATE entries SET fingerprint = 'another', state = 'failed'")
    fal.set_faults("accepted_then_dropped:1")
    clip = await run(text_shot(seed), tmp_path / "home", clips / "own")
    assert clip.request_id != twin.request_id
    assert len(fal.ledger()["jobs"]) == 2


async def test_search_beside_a_request_that_cannot_be_told_apart_waits_for_its_own(
    open_fal, vidu_home, clips
):
    """A twin from another program, without a seed, says nothing while ours still runs."""
    fal = open_fal(concurrency=9, generation_seconds=0.5)
    request = text_shot(0)
    async with Fal(find_key(vidu_home).secret, SHORT) as other:
        await other.submit(request.endpoint, request.arguments({}))
    await until(lambda: fal.ledger()["jobs"][0]["billed"])
    fal.set_faults("accepted_then_dropped:1,slow:1")
    clip = await run(request, vidu_home, clips)
    twin, own = sorted(fal.ledger()["jobs"], key=lambda job: job["sent_at"])
    assert "seed" not in twin["input"]
    assert clip.request_id == own["request_id"]


# By fal's clock.


@pytest.mark.parametrize("skew_s", [0.0, -3 * 86_400.0, 2 * 86_400.0])
@pytest.mark.parametrize("set_by_s", [3600.0, -3600.0])
async def test_search_with_this_machines_clock_set_between_the_runs_waits_all_the_same(
    skew_s, set_by_s, open_fal, tmp_path, clips
):
    fal = open_fal(generation_seconds=0.3)
    fal.set_clock_skew(skew_s)
    fal.set_faults("accepted_then_dropped:1,slow:1")
    await interrupted(shot(), tmp_path, clips, Phase.SEARCHING, by_user=False)
    async with (
        Fal(find_key(tmp_path).secret, SHORT) as provider,
        open_ledger(tmp_path, now=lambda: time.time() + set_by_s) as ledger,
    ):
        clip = await generate(shot(), provider, ledger, Destination(clips, "clip"), settings=SHORT)
    assert clip.path.is_file()
    assert len(jobs_of(fal, shot())) == 1


@pytest.mark.parametrize("fault", ["accepted_as_first", "accepted_urls_of_first"])
async def test_submit_reply_of_another_request_ends_with_the_own_clip(
    fault, fal, vidu_home, clips, tmp_path
):
    told = []
    await run(shot(9), vidu_home, tmp_path / "others")
    fal.set_faults(f"{fault}:1")
    clip = await run(shot(), vidu_home, clips, on_progress=told.append)
    (job,) = jobs_of(fal, shot())
    assert clip.request_id == job["request_id"]
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert any("id of another one" in each.text for each in told) == (fault == "accepted_as_first")
