"""A node's run: clips, drafts, batches, refusals, and what ends a shot early."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

NODE = "FalViduImageToVideo"


def output_of(vidu_home: Path) -> Path:
    return vidu_home / "output"


# -- a clip --------------------------------------------------------------------------------------


async def test_live_shot_becomes_a_clip_and_is_free_the_next_time(
    execute, asked, fal, server, vidu_home
):
    first = (await execute(NODE, **asked())).result
    frames, path, video, last, fps, count, request_id = (output[0] for output in first[:7])
    assert frames.shape == (8, 64, 96, 3)
    assert np.array_equal(last, frames[-1:])
    assert Path(path) == Path(video.file)
    assert Path(path).is_relative_to(output_of(vidu_home))
    assert (fps, count) == (24.0, 8)
    (job,) = fal.ledger()["jobs"]
    assert job["request_id"] == request_id

    again = (await execute(NODE, **asked())).result
    assert again[1] == first[1]
    assert fal.ledger()["counts"]["jobs"] == 1
    assert any("0.20: Vidu, 96x64, 8 frames" in text for text in server.texts)
    assert "Saved, free: Vidu, 96x64, 8 frames" in server.texts[-1]


async def test_draft_needs_neither_key_nor_network(execute, asked, server):
    output = await execute(NODE, **asked(mode=["draft"], max_frames=[1]))
    assert output.result[0][0].shape[0] == 1
    assert output.result[6][0].startswith("draft")


@pytest.mark.parametrize("slots", [(), (0,), (3,), (0, 3)])
async def test_outputs_that_are_not_connected_are_not_made(execute, asked, fal, slots):
    result = (await execute(NODE, slots=slots, **asked())).result
    made = {slot: isinstance(result[slot], list) for slot in (0, 3, 7)}
    assert made == {0: 0 in slots, 3: 3 in slots, 7: False}
    for slot in (0, 3, 7):
        assert made[slot] or "Run again" in result[slot].message
    assert (result[4], result[5]) == ([24.0], [8])


async def test_last_frame_is_the_clips_own_however_few_frames_are_asked(execute, asked, fal):
    whole = (await execute(NODE, **asked())).result
    few = (await execute(NODE, **asked(every_nth=[3], max_frames=[2]))).result
    alone = (await execute(NODE, slots=(3,), **asked())).result
    assert np.array_equal(few[0][0], whole[0][0][::3][:2])
    assert np.array_equal(few[3][0], whole[0][0][-1:])
    assert np.array_equal(alone[3][0], whole[0][0][-1:])
    assert (few[4], few[5]) == ([8.0], [2])


@pytest.mark.parametrize(
    ("mode", "words"), [("draft", "Nothing was charged"), ("live", "is paid for and not lost")]
)
async def test_frames_beyond_memory_say_what_was_paid(
    mode, words, execute, asked, fal, pack, monkeypatch
):
    def empty_frames(*_):
        raise pack.vidu.errors.ClipTooLargeError("Its frames need 99 GB of memory.")

    for module in (pack.vidu.media.decoder, pack.vidu.media.video):
        monkeypatch.setattr(module, "empty_frames", empty_frames)
    with pytest.raises(pack.vidu.errors.ClipTooLargeError, match=words):
        await execute(NODE, **asked(mode=[mode]))


# -- several -------------------------------------------------------------------------------------


async def test_downloaded_clip_is_decoded_once(execute, asked, tensors, fal, pack, monkeypatch):
    decoded = []
    frames_of = pack.vidu.media.video._frames

    def counted(path, *given):
        decoded.append(path)
        return frames_of(path, *given)

    monkeypatch.setattr(pack.vidu.media.video, "_frames", counted)
    await execute(NODE, **asked(image=[tensors(2)]))
    assert len(decoded) == 2
    await execute(NODE, slots=(), **asked(image=[tensors(2)]))
    assert len(decoded) == 2  # saved, and nothing is connected


async def test_clips_of_a_batch_come_in_its_order(execute, asked, tensors, fal):
    output = await execute(NODE, **asked(image=[tensors(3)]))
    means = [float(np.mean(frames)) for frames in output.result[0]]
    assert means == sorted(means)
    assert len(set(output.result[1])) == 3


async def test_two_images_and_two_prompts_are_two_shots(execute, asked, tensors, fal):
    await execute(NODE, **asked(image=[tensors(2)], prompt=["One.", "Two."]))
    assert sorted(job["input"]["prompt"] for job in fal.ledger()["jobs"]) == ["One.", "Two."]


async def test_lists_that_do_not_pair_are_refused_with_both_counts(
    execute, asked, tensors, fal, pack
):
    with pytest.raises(
        pack.vidu.errors.InvalidSettingError, match="prompt holds 3 values and image 2"
    ):
        await execute(NODE, **asked(image=[tensors(2)], prompt=["One.", "Two.", "Three."]))
    assert fal.ledger()["requests"] == []


async def test_run_above_max_cost_is_refused_before_anything_is_sent(
    execute, asked, tensors, fal, pack
):
    with pytest.raises(pack.vidu.errors.CostLimitError, match=r"\$16\.20 for 81 shots") as refused:
        await execute(NODE, slots=(), **asked(image=[tensors(81)]))
    assert "max_cost is $5.00" in str(refused.value)
    assert fal.ledger()["requests"] == []


async def test_run_within_max_cost_counts_only_what_is_new(execute, asked, tensors, fal):
    await execute(NODE, **asked(image=[tensors(2)], max_cost=[0.4]))
    await execute(NODE, **asked(image=[tensors(3)], max_cost=[0.2]))
    assert fal.ledger()["counts"]["jobs"] == 3


async def test_same_shot_twice_costs_once(execute, asked, tensors, fal):
    image = tensors(1)
    await execute(NODE, **asked(image=[image, image], max_cost=[0.2]))
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_frames_that_will_not_fit_are_refused_before_anything_is_sent(
    execute, asked, fal, pack, monkeypatch
):
    monkeypatch.setattr(pack.nodes.limits, "free_memory", lambda: 500_000_000)
    with pytest.raises(pack.vidu.errors.ClipTooLargeError, match="Nothing was charged") as refused:
        await execute(NODE, **asked())
    assert "0.9 GB" in str(refused.value)
    assert fal.ledger()["requests"] == []
    await execute(NODE, slots=(), **asked())


async def test_batch_without_an_image_is_refused(execute, asked, tensors, pack):
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match="image holds nothing"):
        await execute(NODE, **asked(image=[tensors(0)]))


async def test_of_several_the_failed_are_named_and_the_others_saved(execute, asked, fal, pack):
    fal.set_faults("content_policy_violation:1")
    prompts = ["One.", "Two.", "Three."]
    with pytest.raises(pack.vidu.errors.ShotsFailedError, match="1 of 3") as failed:
        await execute(NODE, **asked(prompt=prompts))
    assert len(failed.value.failures) == 1
    await execute(NODE, **asked(prompt=prompts))
    assert [job["billed"] for job in fal.ledger()["jobs"]].count(True) == 3
    assert len(fal.ledger()["jobs"]) == 4


async def test_warning_of_a_prompt_without_an_editor_is_in_the_log_alone(
    execute, asked, fal, server, caplog
):
    fal.set_faults("content_policy_violation:1")
    server.client_id = None
    await execute(NODE, **asked(prompt=["One.", "Two."], seed=[2**40], on_error=["skip"]))
    assert not [event for event, _ in server.events if event == "vidu.warning"]
    assert "skipped shots. 1 of 2" in caplog.text
    assert "was folded to" in caplog.text


async def test_failed_shots_can_be_skipped(execute, asked, fal, server):
    fal.set_faults("content_policy_violation:1")
    output = await execute(NODE, **asked(prompt=["One.", "Two."], on_error=["skip"]))
    assert len(output.result[1]) == 1
    assert any("Failed" in text for text in server.texts)


# -- models and media ----------------------------------------------------------------------------


async def test_end_image_asks_the_endpoint_that_takes_it(execute, asked, tensors, fal):
    await execute(NODE, **asked(end_image=[tensors(1)]))
    (job,) = fal.ledger()["jobs"]
    assert {"start_image_url", "end_image_url"} <= job["input"].keys()


async def test_end_image_of_a_model_without_one_is_refused_with_those_that_do(
    execute, asked, tensors, fal, pack
):
    model = {"model": ["Q4"], "duration": [5], "resolution": ["720p"]}
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match=r"\(Vidu, Q1, .*Q3\)"):
        await execute(NODE, **asked(end_image=[tensors(1)], model=model))
    assert fal.ledger()["requests"] == []


@pytest.mark.parametrize("model", [None, {}, {"model": []}])
async def test_model_that_is_no_option_is_refused(execute, asked, fal, pack, model):
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match="No model"):
        await execute(NODE, **asked(model=model))


async def test_options_of_a_model_may_be_lists(execute, asked, fal):
    model = {"model": ["Q3"], "duration": [2, 3], "resolution": ["540p"], "audio": [False]}
    await execute(NODE, **asked(model=model))
    assert sorted(job["input"]["duration"] for job in fal.ledger()["jobs"]) == [2, 3]


async def test_seed_of_another_node_is_folded_and_said(execute, asked, fal, server):
    await execute(NODE, **asked(seed=[np.int64(2**40)]))
    (job,) = fal.ledger()["jobs"]
    assert job["input"]["seed"] == 1 + (2**40 - 1) % (2**31 - 1)
    assert any("folded" in str(data) for _, data in server.events)


async def test_references_of_all_sockets_and_batches_are_sent_in_order(execute, tensors, fal):
    from .conftest import shared_inputs

    model = {
        "model": ["Q1"],
        "aspect_ratio": ["1:1"],
        "bgm": [False],
        "movement_amplitude": ["auto"],
        "images": {"image_1": [tensors(2, 128, 128)], "image_2": [tensors(1, 256, 128)]},
    }
    await execute("FalViduReferenceToVideo", **shared_inputs(prompt=["They meet."], model=model))
    (job,) = fal.ledger()["jobs"]
    assert len(job["input"]["reference_image_urls"]) == 3


async def test_text_becomes_a_clip(execute, fal):
    from .conftest import shared_inputs

    model = {
        "model": ["Q4"],
        "duration": [3],
        "resolution": ["540p"],
        "aspect_ratio": ["1:1"],
        "audio": [True],
    }
    await execute("FalViduTextToVideo", **shared_inputs(prompt=["A lamp."], model=model))
    (job,) = fal.ledger()["jobs"]
    assert job["input"]["audio"] is True
    assert "reference_image_urls" not in job["input"]


async def test_template_takes_its_images(execute, tensors, fal):
    from .conftest import shared_inputs

    given = {"template": ["wish_sender"], "aspect_ratio": ["9:16"]}
    images = {f"image_{number}": [tensors(1, 128, 128)] for number in (1, 2, 3)}
    await execute("FalViduTemplate", **shared_inputs(**given, images=images))
    (job,) = fal.ledger()["jobs"]
    assert len(job["input"]["input_image_urls"]) == 3


async def test_clip_that_may_have_cost_less_says_up_to(execute, tensors, fal, server):
    from .conftest import shared_inputs

    given = {"template": ["minecraft"], "aspect_ratio": ["9:16"]}
    images = {"image_1": [tensors(1, 128, 128)]}
    await execute("FalViduTemplate", **shared_inputs(**given, images=images))
    assert server.texts[-1].startswith("up to $0.50: Vidu, ")


async def test_shot_list_runs_as_it_is_written(execute, asked, tensors, fal):
    listed = (
        await execute(
            "FalViduShots",
            shots=["One. | 5 | | 2 | next\nTwo. | | large"],
            base_seed=[1],
            duration=[3],
            image=[tensors(2)],
        )
    ).result
    image, prompt, seed, _, duration, end_image = listed
    model = {"model": ["Q3"], "duration": duration, "resolution": ["540p"], "audio": [False]}
    given = {"image": image, "prompt": prompt, "seed": seed, "end_image": end_image}
    await execute(NODE, **asked(**given, model=model))
    sent = {job["input"]["prompt"]: job["input"] for job in fal.ledger()["jobs"]}
    assert (sent["One."]["seed"], sent["One."]["duration"]) == (5, 2)
    assert "end_image_url" in sent["One."]
    assert sent["Two."]["duration"] == 3
    assert "end_image_url" not in sent["Two."]


async def test_saved_clip_is_the_same_clip(execute, asked, pack, fal, server):
    made = (await execute(NODE, **asked())).result
    saved = pack.nodes.saved_clip.FalViduSavedClip
    assert await saved.validate_inputs(made[6][0]) is True
    assert "no clip with the request id" in await saved.validate_inputs("another")
    again = (await execute("FalViduSavedClip", request_id=made[6][0])).result
    assert [again[1], again[4], again[5], again[6]] == [made[1], made[4], made[5], made[6]]
    assert np.array_equal(again[0][0], made[0][0])


# -- what ends a shot early ----------------------------------------------------------------------


def until(fal, holds: Callable[[dict], object]) -> None:
    deadline = time.monotonic() + 30
    while not any(holds(job) for job in fal.ledger()["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def torn_down(execute, asked, fal, before: Callable | None = None) -> None:
    """Runs a shot until it is under way at fal, and ends it as the host tears a prompt down."""
    running = asyncio.ensure_future(execute(NODE, **asked()))
    await asyncio.to_thread(until, fal, lambda job: job["polls"])
    if before:
        await before()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert running in tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert running.cancelled()


async def test_teardown_after_cancel_cancels_the_request(execute, asked, fal, press_cancel):
    fal.set_faults("stuck_in_queue:1")
    await torn_down(execute, asked, fal, press_cancel)
    await asyncio.to_thread(until, fal, lambda job: job["cancels"] == 1)


async def test_teardown_after_cancel_cancels_the_request_while_all_threads_are_busy(
    execute, asked, fal, press_cancel
):
    fal.set_faults("stuck_in_queue:1")
    loop, free = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(3))
    running = asyncio.ensure_future(execute(NODE, **asked()))
    await asyncio.to_thread(until, fal, lambda job: job["polls"])
    await press_cancel()
    busy = [loop.run_in_executor(None, free.wait) for _ in range(3)]
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for _ in range(3):
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.05)
    free.set()
    await asyncio.gather(*tasks, *busy, return_exceptions=True)
    assert running.cancelled()
    await asyncio.to_thread(until, fal, lambda job: job["cancels"] == 1)


async def test_teardown_after_cancel_that_fal_does_not_take_warns_in_the_editor(
    execute, asked, fal, server, press_cancel
):
    fal.set_faults("stuck_in_queue:1,cancel_500")
    await torn_down(execute, asked, fal, press_cancel)
    (job,) = fal.ledger()["jobs"]
    (warning,) = [data["text"] for event, data in server.events if event == "vidu.warning"]
    assert warning.startswith(f"Request {job['request_id']} could not be cancelled at fal")


async def test_run_is_in_progress_until_fal_was_asked_to_cancel(pack, running, server, monkeypatch):
    runs, jobs = pack.nodes.host.runs, pack.nodes.host.jobs()
    answered = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(3600)
        finally:
            await answered.wait()

    monkeypatch.setattr(runs, "processing_interrupted", lambda: True)
    display = pack.nodes.host.progress.NodeProgress([])
    with running(), pytest.raises(runs.InterruptProcessingException):
        await runs.run_interruptible(work(), display)
    assert jobs.is_running("a-prompt")
    assert not jobs.ended("a-prompt")
    answered.set()
    await asyncio.sleep(0.05)
    assert not jobs.is_running("a-prompt")
    assert len(jobs.ended("a-prompt")) == 1


async def test_teardown_without_cancel_leaves_the_request_to_the_next_run(execute, asked, fal):
    await torn_down(execute, asked, fal)
    await execute(NODE, **asked())
    assert [job["cancels"] for job in fal.ledger()["jobs"]] == [0]


async def test_cancelled_error_from_within_does_not_get_out(execute, asked, pack, fal, monkeypatch):
    """It would end the host's worker, and every later prompt would hang."""

    async def generate(*_, **__):
        raise asyncio.CancelledError

    monkeypatch.setattr(pack.nodes.generation, "generate", generate)
    with pytest.raises(RuntimeError, match="cancelled, but not by the user"):
        await execute(NODE, **asked())
