"""One shot's whole story on the real client, against a local fal that counts everything."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from blocking_ledger import BlockingLedger

from vidu import Destination, errors, generate
from vidu.credentials import find_key
from vidu.errors import Charge
from vidu.fal.client import Fal
from vidu.ledger import open_ledger
from vidu.media.video import check
from vidu.models import State
from vidu.progress import Phase

from ..support.least_requests import least_request
from ..support.shots import SHORT, interrupted, jobs_of, problems, run, shot, switching_on, until


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


# Again, and free.


async def test_generate_same_shot_again_asks_fal_for_nothing(fal, vidu_home, clips):
    first = await run(shot(), vidu_home, clips)
    asked = len(fal.ledger()["requests"])
    again = await run(shot(), vidu_home, clips)
    assert again == replace(first, cost_usd=Decimal(0), reused=True)
    assert len(fal.ledger()["requests"]) == asked


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


# What fal refuses.

REFUSED = {
    "content_policy_violation": (errors.ContentPolicyError, "content checker"),
    "no_media_generated": (errors.PromptRejectedError, "did not generate the expected output"),
    "image_load_error": (errors.ImageRejectedError, "Failed to load the image"),
    "file_download_error": (errors.ImageRejectedError, "Failed to download the file"),
    "image_too_small": (errors.ImageRejectedError, "128x128"),
    "image_too_large": (errors.ImageRejectedError, "8000x8000"),
    "image_aspect_ratio_error": (errors.ImageRejectedError, "between 0.25 and 4.0"),
    "file_too_large": (errors.ImageRejectedError, "52428800 bytes"),
    "unsupported_image_format": (errors.ImageRejectedError, "png, jpeg, jpg, webp"),
    "face_detection_error": (errors.ImageRejectedError, "clear face"),
    "feature_not_supported": (errors.GenerationError, "not supported"),
    "greater_than": (errors.InputRejectedError, "seed: Input should be greater than 0"),
    "sequence_too_long": (errors.PromptRejectedError, "at most 1500"),
    "one_of": (errors.InputRejectedError, "auto, small, medium, large"),
    "internal_server_error": (errors.GenerationError, "Internal server error"),
    "generation_timeout": (errors.GenerationError, "Generation timeout"),
    "downstream_service_error": (errors.GenerationError, "Downstream service error"),
    "downstream_service_unavailable": (errors.GenerationError, "unavailable"),
    "request_timeout": (errors.GenerationError, "Request timed out"),
    "runner_scheduling_failure": (errors.GenerationError, "No runner"),
    "client_cancelled": (errors.GenerationCancelledError, "cancelled at fal"),
    "detail_text": (errors.GenerationError, "could not be processed"),
    "detail_dict": (errors.GenerationError, "could not be processed"),
    "detail_html": (errors.GenerationError, "Unprocessable"),
    "detail_v1": (errors.PromptRejectedError, "field required"),
}
NO_UNITS = {"detail_text", "detail_dict", "detail_html", "detail_v1", "client_cancelled"}


async def test_generate_each_refusal_has_its_class_words_and_charge(open_fal, vidu_home, clips):
    fal = open_fal(generation_seconds=0.05, concurrency=50)

    async def refused(seed, fault, kind, words):
        on_progress = switching_on(fal, f"{fault}:1", Phase.SUBMITTING)
        with pytest.raises(errors.GenerationError) as caught:
            await run(shot(seed), vidu_home, clips, on_progress=on_progress)
        (job,) = jobs_of(fal, shot(seed))
        assert job["faults"] == [fault]
        error = caught.value
        assert (fault, type(error)) == (fault, kind)
        assert words in error.message
        assert error.charge is (Charge.MAYBE_SPENT if fault in NO_UNITS else Charge.NOT_SPENT)
        assert str(error) == f"{error.message} {error.charge.value} {error.next_step}"
        assert error.request_id == job["request_id"]
        for private in (fal.key, fal.key.split(":")[1], "https://", "The tide"):
            assert private not in str(error)

    # One after the other is submitted, and all are then waited for together.
    tasks = []
    for seed, (fault, (kind, words)) in enumerate(REFUSED.items(), start=1):
        tasks.append(asyncio.create_task(refused(seed, fault, kind, words)))
        await until(lambda: jobs_of(fal, shot(seed)))  # noqa: B023 (called at once)
    await asyncio.gather(*tasks)
    # Nothing of it stands in the way of another go, which is another job.
    seeds = range(1, len(REFUSED) + 1)
    made = await asyncio.gather(*(run(shot(seed), vidu_home, clips) for seed in seeds))
    assert {clip.cost_usd for clip in made} == {Decimal("0.20")}
    assert fal.ledger()["counts"]["jobs"] == 2 * len(REFUSED)


@pytest.mark.parametrize("place", [Phase.UPLOADING, Phase.SUBMITTING])
@pytest.mark.parametrize(
    ("fault", "words", "next_step"),
    [
        ("user_locked", "Exhausted balance", "Top up at fal.ai/dashboard/billing"),
        ("admin_locked", "Admin lock", "Only fal can unlock it: write to support@fal.ai"),
    ],
)
async def test_generate_locked_account_pays_nothing_and_says_what_to_do(
    fault, words, next_step, place, fal, vidu_home, clips
):
    on_progress = switching_on(fal, fault, place)
    with pytest.raises(errors.AccountLockedError, match=words) as caught:
        await run(shot(), vidu_home, clips, on_progress=on_progress)
    assert f"Nothing was charged. {next_step}" in str(caught.value)
    assert fal.ledger()["counts"]["jobs"] == 0
    fal.set_faults("")
    assert problems(fal, vidu_home, clips, shot(), await run(shot(), vidu_home, clips)) == []


async def test_generate_wrong_key_pays_nothing(fal, vidu_home, clips, monkeypatch):
    monkeypatch.setenv("FAL_KEY", "11111111-2222:not-the-key")
    with pytest.raises(
        errors.RejectedKeyError, match=r"does not accept the key.*Nothing was charged"
    ):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["counts"]["jobs"] == 0


async def test_generate_without_a_key_asks_fal_for_nothing(fal, vidu_home, clips, monkeypatch):
    monkeypatch.delenv("FAL_KEY")
    with pytest.raises(errors.MissingKeyError, match="FAL_KEY"):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["requests"] == []


async def test_submit_rate_limited_post_was_not_taken(fal, vidu_home, clips):
    fal.set_faults("submit_429:1")
    with pytest.raises(errors.RateLimitedError, match=r"Nothing was charged\. Wait a minute"):
        await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), await run(shot(), vidu_home, clips)) == []


# The paid POST.


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


# Waiting.


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
