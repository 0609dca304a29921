"""A node's run with each model, media input and option."""

from __future__ import annotations

import numpy as np
import pytest

NODE = "FalViduImageToVideo"


async def test_execute_end_image_uses_the_endpoint_that_takes_it(execute, asked, tensors, fal):
    await execute(NODE, **asked(end_image=[tensors(1)]))
    (job,) = fal.ledger()["jobs"]
    assert {"start_image_url", "end_image_url"} <= job["input"].keys()


async def test_execute_end_image_of_a_model_without_one_names_those_that_do(
    execute, asked, tensors, fal, pack
):
    model = {"model": ["Q4"], "duration": [5], "resolution": ["720p"]}
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match=r"\(Vidu, Q1, .*Q3\)"):
        await execute(NODE, **asked(end_image=[tensors(1)], model=model))
    assert fal.ledger()["requests"] == []


@pytest.mark.parametrize("model", [None, {}, {"model": []}])
async def test_execute_unknown_model_is_refused(execute, asked, fal, pack, model):
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match="No model"):
        await execute(NODE, **asked(model=model))


async def test_execute_lists_of_options_makes_a_shot_of_each(execute, asked, fal):
    model = {"model": ["Q3"], "duration": [2, 3], "resolution": ["540p"], "audio": [False]}
    await execute(NODE, **asked(model=model))
    assert sorted(job["input"]["duration"] for job in fal.ledger()["jobs"]) == [2, 3]


async def test_execute_seed_out_of_range_is_folded_and_said(execute, asked, fal, server):
    await execute(NODE, **asked(seed=[np.int64(2**40)]))
    (job,) = fal.ledger()["jobs"]
    assert job["input"]["seed"] == 1 + (2**40 - 1) % (2**31 - 1)
    assert any("folded" in str(data) for _, data in server.events)


async def test_execute_references_of_all_sockets_are_sent_in_order(execute, tensors, fal):
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


async def test_execute_text_to_video_makes_a_clip(execute, fal):
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


async def test_execute_template_takes_its_images(execute, tensors, fal):
    from .conftest import shared_inputs

    given = {"template": ["wish_sender"], "aspect_ratio": ["9:16"]}
    images = {f"image_{number}": [tensors(1, 128, 128)] for number in (1, 2, 3)}
    await execute("FalViduTemplate", **shared_inputs(**given, images=images))
    (job,) = fal.ledger()["jobs"]
    assert len(job["input"]["input_image_urls"]) == 3


async def test_execute_clip_that_may_have_cost_less_says_up_to(execute, tensors, fal, server):
    from .conftest import shared_inputs

    given = {"template": ["minecraft"], "aspect_ratio": ["9:16"]}
    images = {"image_1": [tensors(1, 128, 128)]}
    await execute("FalViduTemplate", **shared_inputs(**given, images=images))
    assert server.texts[-1].startswith("up to $0.50: Vidu, ")


async def test_execute_shot_list_runs_as_it_is_written(execute, asked, tensors, fal):
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


async def test_execute_saved_clip_returns_the_same_clip(execute, asked, pack, fal, server):
    made = (await execute(NODE, **asked())).result
    saved = pack.nodes.saved_clip.FalViduSavedClip
    assert await saved.validate_inputs(made[6][0]) is True
    assert "no clip with the request id" in await saved.validate_inputs("another")
    again = (await execute("FalViduSavedClip", request_id=made[6][0])).result
    assert [again[1], again[4], again[5], again[6]] == [made[1], made[4], made[5], made[6]]
    assert np.array_equal(again[0][0], made[0][0])


async def test_execute_still_that_is_not_read_is_skipped_and_says_what_was_paid(
    execute, fal, pack, monkeypatch, caplog
):
    from .conftest import shared_inputs

    read_image = pack.nodes.host.read_image
    model = {"model": ["Q2"], "aspect_ratio": ["16:9"]}
    given = shared_inputs(prompt=["A lamp.", "A wave."], model=model, on_error=["skip"])
    made = (await execute("FalViduImage", **given)).result

    def fails_once(path):
        if str(path) == made[1][0]:
            raise OSError("image file is truncated")
        return read_image(path)

    monkeypatch.setattr(pack.nodes.host, "read_image", fails_once)
    again = (await execute("FalViduImage", **given)).result
    assert again[1] == made[1][1:]
    assert np.array_equal(again[0][0], made[0][1])
    assert "image file is truncated. This clip is paid for and not lost" in caplog.text
