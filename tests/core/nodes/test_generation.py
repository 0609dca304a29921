"""A node's run: one clip, a draft, a batch, a refusal."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

NODE = "FalViduImageToVideo"


def output_of(vidu_home: Path) -> Path:
    return vidu_home / "output"


# -- a clip --------------------------------------------------------------------------------------


async def test_execute_live_shot_makes_a_clip_and_is_free_the_next_time(
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


async def test_execute_draft_needs_neither_key_nor_network(execute, asked, server):
    output = await execute(NODE, **asked(mode=["draft"], max_frames=[1]))
    assert output.result[0][0].shape[0] == 1
    assert output.result[6][0].startswith("draft")


@pytest.mark.parametrize("slots", [(), (0,), (3,), (0, 3)])
async def test_execute_makes_only_connected_outputs(execute, asked, fal, slots):
    result = (await execute(NODE, slots=slots, **asked())).result
    made = {slot: isinstance(result[slot], list) for slot in (0, 3, 7)}
    assert made == {0: 0 in slots, 3: 3 in slots, 7: False}
    for slot in (0, 3, 7):
        assert made[slot] or "run again, free" in result[slot].message
    assert (result[4], result[5]) == ([24.0], [8])


async def test_execute_last_frame_is_the_clips_own_with_fewer_frames(execute, asked, fal):
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
async def test_execute_frames_beyond_memory_says_what_was_paid(
    mode, words, execute, asked, fal, pack, monkeypatch
):
    def empty_frames(*_):
        raise pack.vidu.errors.ClipTooLargeError("Its frames need 99 GB of memory.")

    for module in (pack.vidu.media.decoder, pack.vidu.media.video):
        monkeypatch.setattr(module, "empty_frames", empty_frames)
    with pytest.raises(pack.vidu.errors.ClipTooLargeError, match=words):
        await execute(NODE, **asked(mode=[mode]))


# -- several -------------------------------------------------------------------------------------


@pytest.fixture
def decoded(pack, monkeypatch) -> list[Path]:
    """The files that were decoded, each as often as that."""
    decoded = []
    frames_of = pack.vidu.media.video._frames

    def counted(path, *given):
        decoded.append(path)
        return frames_of(path, *given)

    monkeypatch.setattr(pack.vidu.media.video, "_frames", counted)
    return decoded


async def test_execute_decodes_a_downloaded_clip_once(execute, asked, tensors, fal, decoded):
    await execute(NODE, **asked(image=[tensors(2)]))
    assert len(decoded) == 2
    await execute(NODE, slots=(), **asked(image=[tensors(2)]))
    assert len(decoded) == 2  # saved, and nothing is connected


async def test_execute_decodes_two_saved_clips_at_a_time(
    execute, asked, tensors, fal, pack, monkeypatch
):
    both_decode = threading.Barrier(2, timeout=10)
    convert = pack.vidu.media.decoder.convert

    def met(*given, **named):
        both_decode.wait()
        return convert(*given, **named)

    first = await execute(NODE, slots=(), **asked(image=[tensors(4)]))
    monkeypatch.setattr(pack.vidu.media.decoder, "convert", met)
    again = await execute(NODE, slots=(0,), **asked(image=[tensors(4)]))
    assert again.result[1] == first.result[1]
    means = [float(np.mean(frames)) for frames in again.result[0]]
    assert means == sorted(means)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError("Unable to allocate 510. KiB"), "refuses the memory for 8 frames of 96 x 64"),
        (RuntimeError("can't start new thread"), "unexpected RuntimeError: can't start new thread"),
    ],
)
async def test_execute_saved_clip_that_is_not_decoded_is_skipped_and_named(
    error, words, execute, asked, tensors, fal, pack, monkeypatch, caplog
):
    convert = pack.vidu.media.decoder.convert
    begun = []

    def fails_once(*given, **named):
        begun.append(given)
        if len(begun) == 2:
            raise error
        return convert(*given, **named)

    made = await execute(NODE, slots=(), **asked(image=[tensors(3)]))
    monkeypatch.setattr(pack.vidu.media.decoder, "convert", fails_once)
    again = await execute(NODE, **asked(image=[tensors(3)], on_error=["skip"]))
    assert len(again.result[0]) == 2
    assert set(again.result[1]) < set(made.result[1])
    assert "1 of 3 clips failed" in caplog.text
    assert words in caplog.text
    assert "is paid for and not lost" in caplog.text


async def test_execute_batch_returns_clips_in_its_order(execute, asked, tensors, fal):
    output = await execute(NODE, **asked(image=[tensors(3)]))
    means = [float(np.mean(frames)) for frames in output.result[0]]
    assert means == sorted(means)
    assert len(set(output.result[1])) == 3


async def test_execute_two_images_and_two_prompts_makes_two_shots(execute, asked, tensors, fal):
    await execute(NODE, **asked(image=[tensors(2)], prompt=["One.", "Two."]))
    assert sorted(job["input"]["prompt"] for job in fal.ledger()["jobs"]) == ["One.", "Two."]


async def test_execute_lists_that_do_not_pair_are_refused_with_both_counts(
    execute, asked, tensors, fal, pack
):
    with pytest.raises(
        pack.vidu.errors.InvalidSettingError, match="prompt holds 3 values and image 2"
    ):
        await execute(NODE, **asked(image=[tensors(2)], prompt=["One.", "Two.", "Three."]))
    assert fal.ledger()["requests"] == []


async def test_execute_above_max_cost_is_refused_before_anything_is_sent(
    execute, asked, tensors, fal, pack
):
    with pytest.raises(pack.vidu.errors.CostLimitError, match=r"\$16\.20 for 81 shots") as refused:
        await execute(NODE, slots=(), **asked(image=[tensors(81)]))
    assert "max_cost is $5.00" in str(refused.value)
    assert fal.ledger()["requests"] == []


async def test_execute_max_cost_counts_only_new_shots(execute, asked, tensors, fal):
    await execute(NODE, **asked(image=[tensors(2)], max_cost=[0.4]))
    await execute(NODE, **asked(image=[tensors(3)], max_cost=[0.2]))
    assert fal.ledger()["counts"]["jobs"] == 3


async def test_execute_same_shot_twice_costs_once(execute, asked, tensors, fal):
    image = tensors(1)
    await execute(NODE, **asked(image=[image, image], max_cost=[0.2]))
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_execute_frames_that_will_not_fit_are_refused_before_anything_is_sent(
    execute, asked, fal, pack, monkeypatch
):
    monkeypatch.setattr(pack.nodes.limits, "free_memory", lambda: 500_000_000)
    with pytest.raises(pack.vidu.errors.ClipTooLargeError, match="Nothing was charged") as refused:
        await execute(NODE, **asked())
    assert "need 1.2 GB of memory, and 0.5 GB are free" in str(refused.value)
    assert fal.ledger()["requests"] == []
    await execute(NODE, slots=(), **asked())


async def test_execute_batch_without_an_image_is_refused(execute, asked, tensors, pack):
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match="image holds nothing"):
        await execute(NODE, **asked(image=[tensors(0)]))


async def test_execute_some_shots_failing_names_them_and_saves_the_others(
    execute, asked, fal, pack
):
    fal.set_faults("content_policy_violation:1")
    prompts = ["One.", "Two.", "Three."]
    with pytest.raises(pack.vidu.errors.ShotsFailedError, match="1 of 3") as failed:
        await execute(NODE, **asked(prompt=prompts))
    assert len(failed.value.failures) == 1
    await execute(NODE, **asked(prompt=prompts))
    assert [job["billed"] for job in fal.ledger()["jobs"]].count(True) == 3
    assert len(fal.ledger()["jobs"]) == 4


async def test_execute_without_an_editor_logs_its_warning(execute, asked, fal, server, caplog):
    fal.set_faults("content_policy_violation:1")
    server.client_id = None
    await execute(NODE, **asked(prompt=["One.", "Two."], seed=[2**40], on_error=["skip"]))
    assert not [event for event, _ in server.events if event == "vidu.warning"]
    assert "skipped shots. 1 of 2" in caplog.text
    assert "was folded to" in caplog.text


async def test_execute_with_on_error_skip_leaves_failed_shots_out(execute, asked, fal, server):
    fal.set_faults("content_policy_violation:1")
    output = await execute(NODE, **asked(prompt=["One.", "Two."], on_error=["skip"]))
    assert len(output.result[1]) == 1
    assert any("Failed" in text for text in server.texts)


@pytest.mark.parametrize("slots", [(), (0,), (3,), (0, 3)])
async def test_execute_saved_clip_that_is_fetched_again_is_decoded_once(
    slots, execute, asked, fal, decoded
):
    made = (await execute(NODE, slots=(), **asked())).result
    await asyncio.to_thread(Path(made[1][0]).unlink)
    decoded.clear()
    again = (await execute("FalViduSavedClip", slots=slots, request_id=made[6][0])).result
    assert len(decoded) == 1
    assert (isinstance(again[0], list), isinstance(again[3], list)) == (0 in slots, 3 in slots)
    assert fal.ledger()["counts"]["jobs"] == 1
