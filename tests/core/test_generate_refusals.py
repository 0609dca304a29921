"""What fal refuses, and what each refusal says and costs."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from vidu import errors
from vidu.errors import Charge
from vidu.progress import Phase

from ..support.shots import jobs_of, problems, run, shot, switching_on, until

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
