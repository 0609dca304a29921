"""What is made of a clip, by what is connected in the prompt that runs."""

from __future__ import annotations

import psutil

from .test_models import IMAGE_TO_VIDEO, assert_succeeded, error_of, jobs_of, node


def clip(prompt: str, **inputs: object) -> dict:
    given = {"image": ["1", 0], "prompt": prompt}
    return node("FalViduImageToVideo", "Vidu", IMAGE_TO_VIDEO["Vidu"], **given | inputs)


def preview(*link: object) -> dict:
    return {"class_type": "PreviewImage", "inputs": {"images": list(link)}}


def test_node_frames_connected_later_come_from_disk(comfy, fal):
    prompt = clip("Connected later.")
    assert_succeeded(comfy.run(prompt))
    again = comfy.run(prompt)
    cached = next(data for kind, data in again["status"]["messages"] if kind == "execution_cached")
    assert "2" in cached["nodes"]
    prompt["frames"] = preview("2", 0)
    history = comfy.run(prompt)
    assert_succeeded(history)
    assert len(history["outputs"]["frames"]["images"]) == 8
    prompt["sound"] = {"class_type": "PreviewAudio", "inputs": {"audio": ["2", 7]}}
    history = comfy.run(prompt)
    assert_succeeded(history)
    assert len(history["outputs"]["sound"]["audio"]) == 1
    assert len(jobs_of(fal)) == 1


def test_node_frames_of_a_list_reach_a_node_that_takes_lists(comfy, fal):
    prompt = clip("A list.", image=["batch", 0])
    prompt["3"] = {"class_type": "EmptyImage", "inputs": prompt["1"]["inputs"] | {"color": 99}}
    images = {"image1": ["1", 0], "image2": ["3", 0]}
    prompt["batch"] = {"class_type": "ImageBatch", "inputs": images}
    prompt["all"] = {"class_type": "RebatchImages", "inputs": {"images": ["2", 0], "batch_size": 4}}
    prompt["frames"] = preview("all", 0)
    history = comfy.run(prompt)
    assert_succeeded(history)
    assert len(history["outputs"]["frames"]["images"]) == 16


def test_node_inside_one_that_expands_hands_its_frames_on(comfy, fal):
    prompt = {"1": node("", image=None)["1"]}
    inputs = {"image": ["1", 0], "prompt": "Inside another node."}
    prompt["2"] = {"class_type": "MakesAClip", "inputs": inputs}
    prompt["frames"] = preview("2", 0)
    history = comfy.run(prompt)
    assert_succeeded(history)
    assert len(history["outputs"]["frames"]["images"]) == 8
    assert len(jobs_of(fal)) == 1


def test_node_output_asked_for_by_an_expanded_node_blocks_with_a_sentence(comfy, fal):
    prompt = clip("Asked too late.")
    asked = {"after": ["2", 1], "node": "2", "slot": 0}
    prompt["late"] = {"class_type": "LinksBack", "inputs": asked}
    comfy.run(prompt)
    told = comfy.wait_for("execution_error", "Connect it to a node of the graph", 10)
    assert told.data["node_type"] == "PreviewImage"
    prompt["frames"] = preview("2", 0)
    assert_succeeded(comfy.run(prompt))
    assert len(jobs_of(fal)) == 1


def test_node_frames_that_will_not_fit_are_refused_before_anything_is_sent(comfy, fal):
    size = 16 * 24 * 3840 * 2160 * 3 * 4
    inputs = {"image": ["1", 0], "prompt": "Too large.", "seed": 0, "max_cost": 1000.0}
    options = {"duration": 16, "resolution": "4K"}
    prompt = node("FalViduImageToVideo", "Q4", options, **inputs)
    prompt["1"]["inputs"]["batch_size"] = psutil.virtual_memory().total // size + 1
    prompt["frames"] = preview("2", 0)
    refused = error_of(comfy.run(prompt))
    assert "GB of memory, and" in refused
    assert "Nothing was charged. Disconnect frames and use the video output, raise" in refused
    assert fal.ledger()["requests"] == []
    prompt["2"]["inputs"]["max_frames"] = 2
    assert_succeeded(comfy.run(prompt))
