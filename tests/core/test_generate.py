"""One shot's whole story on the real client, against a local fal that counts everything."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal

import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.errors import Charge
from vidu.fal.client import Fal
from vidu.media.video import check
from vidu.models import State
from vidu.progress import Phase

from ..support.least_requests import least_request
from ..support.shots import SHORT, jobs_of, problems, run, shot


async def test_generate_new_shot_returns_its_saved_clip(fal, vidu_home, clips):
    told = []
    clip = await run(shot(seed=7), vidu_home, clips, on_progress=told.append)
    assert (clip.width, clip.height, clip.frame_count, clip.fps) == (64, 48, 8, 24.0)
    assert clip.duration_s == pytest.approx(8 / 24)
    assert (clip.seed, clip.cost_usd, clip.reused) == (7, Decimal("0.20"), False)
    assert clip.path.is_absolute()
    assert problems(fal, vidu_home, clips, shot(seed=7), clip) == []
    phases = list(dict.fromkeys(progress.phase for progress in told))
    assert phases[:2] == [Phase.UPLOADING, Phase.SUBMITTING]
    assert phases[-2:] == [Phase.DOWNLOADING, Phase.CHECKING]
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)


async def test_generate_sends_the_request_as_it_was_built(fal, vidu_home, clips):
    request = shot(seed=7, prompt="  Mist \N{SNOWMAN}  ", movement_amplitude="large")
    await run(request, vidu_home, clips)
    (job,) = jobs_of(fal, request)
    url = job["input"].pop("image_url")
    assert job["input"] == {"prompt": "Mist \N{SNOWMAN}", "seed": 7, "movement_amplitude": "large"}
    assert url.startswith("https://v3b.fal.media/")
    assert job["endpoint"] == "fal-ai/vidu/image-to-video"


async def test_generate_seed_0_is_not_sent(fal, vidu_home, clips):
    clip = await run(shot(seed=0), vidu_home, clips)
    assert "seed" not in fal.ledger()["jobs"][0]["input"]
    assert clip.seed == 0


async def test_generate_seed_that_vidu_chose_is_told_and_kept(fal, vidu_home, clips):
    request = least_request("fal-ai/vidu/q4/image-to-video", seed=0)
    clip = await run(request, vidu_home, clips)
    (job,) = fal.ledger()["jobs"]
    assert "seed" not in job["input"]
    assert clip.seed >= 1
    again = await run(request, vidu_home, clips)
    assert (again.path, again.seed, again.cost_usd) == (clip.path, clip.seed, 0)


async def test_generate_four_shots_at_once_run_side_by_side(fal, vidu_home, clips):
    requests = [shot(seed) for seed in range(1, 5)]
    made = await asyncio.gather(*(run(request, vidu_home, clips) for request in requests))
    assert len({clip.path for clip in made}) == 4
    ledger = fal.ledger()
    assert (ledger["counts"]["jobs"], ledger["most_running"]) == (4, 2)
    assert ledger["billed_usd"] == pytest.approx(0.80)


# Again, and free.


async def test_generate_same_shot_again_asks_fal_for_nothing(fal, vidu_home, clips):
    first = await run(shot(), vidu_home, clips)
    asked = len(fal.ledger()["requests"])
    again = await run(shot(), vidu_home, clips)
    assert again == replace(first, cost_usd=Decimal(0), reused=True)
    assert len(fal.ledger()["requests"]) == asked


@pytest.mark.parametrize("decoder", [0, 3])
async def test_generate_beside_a_run_that_fails_and_is_billed_pays_nothing(
    decoder, open_fal, vidu_home, clips, monkeypatch
):
    fal = open_fal(generation_seconds=1)

    async def fail_and_bill(self, handle, completed, *, may_have_run):
        raise errors.ContentPolicyError("It was flagged.", charge=Charge.CHARGED)

    requests = [least_request(shot().endpoint.id, decoder=each) for each in (0, decoder)]
    with monkeypatch.context() as patched:
        patched.setattr(Fal, "result", fail_and_bill)
        runs = (run(request, vidu_home, clips) for request in requests)
        failed = await asyncio.gather(*runs, return_exceptions=True)
    assert all(isinstance(error, errors.GenerationError) for error in failed), failed
    assert {error.charge for error in failed} == {Charge.CHARGED}
    assert not [error.message for error in failed if ".." in error.message]
    assert fal.ledger()["counts"]["jobs"] == 1
    assert (await run(requests[0], vidu_home, clips)).cost_usd == Decimal("0.20")


async def test_generate_same_shot_twice_at_once_is_one_job(fal, vidu_home, clips):
    told = []
    made = await asyncio.gather(
        *(run(shot(), vidu_home, clips, on_progress=told.append) for _ in range(3))
    )
    assert len({clip.path for clip in made}) == 1
    assert sorted(clip.cost_usd for clip in made) == [0, 0, Decimal("0.20")]
    assert Phase.WAITING in {progress.phase for progress in told}
    assert problems(fal, vidu_home, clips, shot(), made[0]) == []


async def test_generate_other_input_makes_another_clip(open_fal, vidu_home, clips):
    fal = open_fal(concurrency=4)
    changes = [{}, {"seed": 2}, {"prompt": "The tide goes out"}, {"movement_amplitude": "small"}]
    made = await asyncio.gather(*(run(shot(**change), vidu_home, clips) for change in changes))
    assert [clip.reused for clip in made] == [False] * 4
    assert len({clip.path for clip in made}) == 4
    assert fal.ledger()["counts"]["jobs"] == 4


def moved(path):
    path.rename(path.with_name("elsewhere.mp4"))


def emptied(path):
    path.write_bytes(b"")


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


async def test_generate_saved_file_not_intact_is_downloaded_again_free(fal, vidu_home, clips):
    first = await run(shot(), vidu_home, clips)
    for damage in (moved, emptied, flipped):
        damage((await run(shot(), vidu_home, clips)).path)
        damaged = {path: path.read_bytes() for path in clips.iterdir()}
        told = []
        again = await run(shot(), vidu_home, clips, on_progress=told.append)
        assert (again.reused, again.cost_usd, again.request_id) == (True, 0, first.request_id)
        assert check(again.path).frame_count == 8
        # What stands there may be the user's own.
        assert {path: path.read_bytes() for path in damaged} == damaged
        assert any(progress.warning and "free" in progress.text for progress in told)
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_generate_clip_gone_everywhere_pays_again_by_the_users_word_only(
    fal, vidu_home, clips
):
    path = (await run(shot(), vidu_home, clips)).path
    path.unlink()
    fal.set_faults("clip_gone")
    for _ in range(2):
        with pytest.raises(errors.ClipGoneError) as caught:
            await run(shot(), vidu_home, clips)
        assert str(path) in caught.value.message
        assert "Connect the drive" in caught.value.next_step
        assert "vidu forget 1" in caught.value.next_step
        assert caught.value.charge is Charge.CHARGED
    assert fal.ledger()["counts"]["jobs"] == 1
    fal.set_faults("")
    with BlockingLedger.open(vidu_home) as ledger:
        ledger.delete(ledger.active(shot().fingerprint))
    again = await run(shot(), vidu_home, clips)
    assert (again.reused, again.cost_usd) == (False, Decimal("0.20"))
    assert fal.ledger()["counts"]["jobs"] == 2


async def test_retrieve_clip_gone_before_it_was_saved_is_not_paid_again(fal, vidu_home, clips):
    fal.set_faults("clip_gone")
    for _ in range(2):
        with pytest.raises(errors.ClipGoneError, match="later to ask once more") as caught:
            await run(shot(), vidu_home, clips)
        assert caught.value.charge is Charge.CHARGED  # and not "not lost": nobody knows that
    assert fal.ledger()["counts"]["jobs"] == 1
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []


# The budget.


async def test_generate_over_the_daily_budget_sends_nothing(fal, vidu_home, clips):
    budget = replace(SHORT, daily_budget_usd=Decimal("0.60"))
    runs = (run(shot(seed), vidu_home, clips, settings=budget) for seed in range(1, 9))
    made = await asyncio.gather(*runs, return_exceptions=True)
    refused = [error for error in made if isinstance(error, errors.BudgetExceededError)]
    assert (len(refused), fal.ledger()["counts"]["jobs"]) == (5, 3)
    assert fal.ledger()["counts"]["uploads"] == 3
    assert "costs $0.20 and $0.60 of today's $0.60" in str(refused[0])
    assert "VIDU_DAILY_BUDGET_USD" in str(refused[0])


async def test_generate_unbilled_failure_gives_its_budget_back(fal, vidu_home, clips):
    budget = replace(SHORT, daily_budget_usd=Decimal("0.20"))
    fal.set_faults("content_policy_violation:1")
    with pytest.raises(errors.ContentPolicyError):
        await run(shot(1), vidu_home, clips, settings=budget)
    await run(shot(2), vidu_home, clips, settings=budget)
    with BlockingLedger.open(vidu_home) as ledger:
        assert ledger.spent_today() == Decimal("0.20")
        assert ledger.active(shot(2).fingerprint).state is State.SAVED


# The key.


async def test_generate_key_is_in_no_log_error_or_file(fal, vidu_home, clips, caplog, capfd):
    logging.getLogger().setLevel(logging.DEBUG)
    told = []
    fal.set_faults("upload_500:1,status_500:1,result_502:1,download_broken:1")
    await run(shot(), vidu_home, clips, on_progress=told.append)
    fal.set_faults("content_policy_violation")
    with pytest.raises(errors.ContentPolicyError) as caught:
        await run(shot(2), vidu_home, clips)
    words = [caplog.text, *capfd.readouterr(), repr(told), str(caught.value), repr(caught.value)]
    files = [path for place in (vidu_home, clips) for path in place.rglob("*") if path.is_file()]
    secret = fal.key.split(":")[1]
    assert len(caplog.records) > 50
    assert not [text for text in words if secret in text]
    assert not [path for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("kind", [TypeError, AttributeError, ValueError])
async def test_generate_unexpected_exception_after_paying_names_the_request(
    kind, fal, vidu_home, clips, monkeypatch
):
    def broken(*_args, **_kwargs):
        raise kind("open() got an unexpected keyword argument 'metadata_errors'")

    with monkeypatch.context() as patch:
        patch.setattr("vidu.steps.retrieve.write_clip", broken)
        with pytest.raises(errors.UnexpectedError) as caught:
            await run(shot(seed=9), vidu_home, clips)
    (job,) = jobs_of(fal, shot(seed=9))
    assert caught.value.request_id == job["request_id"]
    assert job["request_id"] in str(caught.value)
    assert caught.value.charge is Charge.SPENT
    assert "metadata_errors" in str(caught.value)
    clip = await run(shot(seed=9), vidu_home, clips)
    assert (clip.reused, fal.ledger()["counts"]["jobs"]) == (True, 1)
