"""What is refused before it is queued, what before it is paid, and the words of what fails."""

from __future__ import annotations

import pytest


def error_from_response(response) -> dict[str, str]:
    """The words at each input of the shot's node."""
    assert response.status_code == 400
    errors = response.json()["node_errors"]["2"]["errors"]
    return {error["extra_info"]["input_name"]: error["details"] for error in errors}


def failure(history: dict) -> dict:
    kind, told = history["status"]["messages"][-1]
    assert kind == "execution_error"
    return told


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"mode": "rehearsal"}, "mode", "choose live or draft"),
        (
            {"model.movement_amplitude": "huge"},
            "model.movement_amplitude",
            "'huge' not in",
        ),
        ({"seed": -1}, "seed", "seed"),
        ({"max_cost": -1}, "max_cost", "max_cost"),
        ({"max_cost": 1001}, "max_cost", "max_cost"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_prompt_with_bad_input_is_refused_before_it_is_queued(
    comfy, fal, shot, asked, field, words
):
    assert words in error_from_response(comfy.post(shot(**asked)))[field]
    assert fal.ledger()["requests"] == []


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [(300, 64, "300 x 64"), (64, 300, "64 x 300")],
)
def test_node_strange_aspect_is_refused_before_the_upload(comfy, fal, shot, width, height, words):
    prompt = shot()
    size = {"width": width, "height": height, "batch_size": 1, "color": 0}
    prompt["1"] = {"class_type": "EmptyImage", "inputs": size}
    told = failure(comfy.run(prompt))
    assert told["exception_type"] == "vidu.InvalidImageError"
    assert words in told["exception_message"]
    assert "Nothing was charged." in told["exception_message"]
    assert fal.ledger()["requests"] == []


@pytest.mark.parametrize("prefix", ["../outside", "video/../../outside", "/outside"])
def test_node_prefix_that_leads_out_is_refused_before_anything_is_paid(comfy, fal, shot, prefix):
    told = failure(comfy.run(shot(filename_prefix=prefix)))
    assert told["exception_type"] == "vidu.InvalidSettingError"
    assert "such as video/Vidu." in told["exception_message"]
    assert fal.ledger()["requests"] == []
    assert not list(comfy.base.glob("outside*"))


def test_node_batch_above_max_cost_is_refused_with_its_sum(comfy, fal, shot):
    """Pictures that are the same are one shot, so that these are two."""
    prompt = shot(image=["both", 0], max_cost=0.3)
    for node, color in (("one", 0), ("other", 255)):
        size = {"width": 64, "height": 64, "batch_size": 40, "color": color}
        prompt[node] = {"class_type": "EmptyImage", "inputs": size}
    both = {"image1": ["one", 0], "image2": ["other", 0]}
    prompt["both"] = {"class_type": "ImageBatch", "inputs": both}
    told = failure(comfy.run(prompt))
    assert told["exception_type"] == "vidu.CostLimitError"
    assert "$0.40" in told["exception_message"]
    assert fal.ledger()["requests"] == []


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (
            "content_policy_violation:1",
            "ContentPolicyError",
            ["flagged", "Change the prompt or the image, then run again."],
        ),
        ("user_locked", "AccountLockedError", ["Nothing was charged.", "fal.ai/dashboard/billing"]),
        ("image_load_error:1", "ImageRejectedError", ["Use another image"]),
        ("cut_clip", "CorruptClipError", ["This clip is paid for and not lost."]),
    ],
)
def test_node_failure_says_the_charge_and_the_next_step(comfy, fal, shot, fault, kind, words):
    fal.set_faults(fault)
    told = failure(comfy.run(shot()))
    assert told["exception_type"] == f"vidu.{kind}"
    for word in words:
        assert word in told["exception_message"]


def test_node_failure_is_shown_on_the_node(comfy, fal, shot):
    fal.set_faults("content_policy_violation:1")
    failure(comfy.run(shot()))
    comfy.wait_for("progress_text", "Failed: ")
