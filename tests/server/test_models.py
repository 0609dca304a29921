"""Every generating node in a real ComfyUI: its models, its media, its lists, its wiring."""

from __future__ import annotations

import pytest

COMMON = {"seed": 1, "mode": "live", "filename_prefix": "video/Models", "max_cost": 5.0}
SIZE = {"width": 160, "height": 160, "batch_size": 1}
IMAGE_TO_VIDEO = {
    "Vidu": {"movement_amplitude": "large"},
    "Q1": {"movement_amplitude": "auto"},
    "Q2 Turbo": {"duration": 2, "resolution": "720p", "bgm": False, "movement_amplitude": "auto"},
    "Q2 Pro": {"duration": 4, "resolution": "1080p", "bgm": True, "movement_amplitude": "small"},
    "Q3 Turbo": {"duration": 1, "resolution": "540p", "audio": False},
    "Q3": {"duration": 2, "resolution": "360p", "audio": True},
    "Q4": {"duration": 3, "resolution": "2K"},
}


def picture(color: int, count: int = 1) -> dict:
    inputs = SIZE | {"color": color, "batch_size": count}
    return {"class_type": "EmptyImage", "inputs": inputs}


def node(class_type: str, model: str = "", options: dict | None = None, **inputs) -> dict:
    """Node 2 of a prompt: ours, with node 1 an image and a node that shows its file."""
    chosen = {"model": model} if model else {}
    chosen |= {f"model.{name}": value for name, value in (options or {}).items()}
    ours = {"class_type": class_type, "inputs": COMMON | chosen | inputs}
    shown = {"class_type": "PreviewAny", "inputs": {"source": ["2", 1]}}
    return {"1": picture(255), "2": ours, "path": shown}


def jobs_of(fal) -> list[dict]:
    return fal.ledger()["jobs"]


def error_of(history: dict) -> str:
    messages = history["status"]["messages"]
    return next(data["exception_message"] for kind, data in messages if kind == "execution_error")


def assert_succeeded(history: dict) -> None:
    is_success = history["status"]["status_str"] == "success"
    assert is_success, error_of(history)


@pytest.mark.parametrize("model", IMAGE_TO_VIDEO)
def test_image_to_video_with_each_model(comfy, fal, model):
    options = IMAGE_TO_VIDEO[model]
    given = {"image": ["1", 0], "prompt": f"A wave, {model}."}
    assert_succeeded(comfy.run(node("FalViduImageToVideo", model, options, **given)))
    (job,) = jobs_of(fal)
    assert {name: job["input"][name] for name in options} == options
    assert_succeeded(comfy.run(node("FalViduImageToVideo", model, options, **given)))
    assert len(jobs_of(fal)) == 1


@pytest.mark.parametrize("model", [model for model in IMAGE_TO_VIDEO if model not in ("Q3", "Q4")])
def test_image_to_video_between_two_images(comfy, fal, model):
    given = {"image": ["1", 0], "end_image": ["3", 0], "prompt": f"To the end, {model}."}
    prompt = node("FalViduImageToVideo", model, IMAGE_TO_VIDEO[model], **given)
    prompt["3"] = picture(1000)
    assert_succeeded(comfy.run(prompt))
    (job,) = jobs_of(fal)
    assert job["input"]["end_image_url"]


def test_image_to_video_with_a_linked_option_makes_a_shot_of_each(comfy, fal):
    prompt = node("FalViduImageToVideo", "Q3", {"resolution": "540p", "audio": False})
    lines = "One. | | | 1\nTwo. | | | 2"
    shots = {"shots": lines, "base_seed": 3, "duration": 5, "image": ["1", 0]}
    prompt["3"] = {"class_type": "FalViduShots", "inputs": shots}
    links = {"image": ["3", 0], "prompt": ["3", 1], "seed": ["3", 2], "model.duration": ["3", 4]}
    prompt["2"]["inputs"] |= links
    assert_succeeded(comfy.run(prompt))
    assert sorted(job["input"]["duration"] for job in jobs_of(fal)) == [1, 2]


def test_text_to_video_makes_a_clip(comfy, fal):
    options = {"duration": 3, "resolution": "540p", "aspect_ratio": "9:16", "audio": True}
    assert_succeeded(comfy.run(node("FalViduTextToVideo", "Q4", options, prompt="A lamp.")))
    (job,) = jobs_of(fal)
    assert job["input"]["aspect_ratio"] == "9:16"


def test_reference_to_video_takes_images_videos_and_voices(comfy, fal):
    options = {"duration": 3, "resolution": "540p", "audio": True}
    maker = node("FalViduImageToVideo", "Q3", options, image=["1", 0], prompt="A voice.")
    q2 = {"duration": 2, "resolution": "540p", "aspect_ratio": "auto", "bgm": False}
    q2 |= {"movement_amplitude": "auto", "images.image_1": ["1", 0], "videos.video_1": ["3", 2]}
    prompt = node("FalViduReferenceToVideo", "Q2 Pro", q2, prompt="It moves.") | {"3": maker["2"]}
    assert_succeeded(comfy.run(prompt))
    q4 = {"duration": 3, "resolution": "540p", "aspect_ratio": "1:1", "audio": True}
    q4 |= {"images.image_1": ["4", 0], "voices.voice_1": ["3", 0]}
    prompt = node("FalViduReferenceToVideo", "Q4", q4, prompt="It speaks.")
    silence = {"duration": 4.0, "sample_rate": 44100, "channels": 2}
    prompt["3"] = {"class_type": "EmptyAudio", "inputs": silence}
    prompt["4"] = picture(77, count=2)
    assert_succeeded(comfy.run(prompt))
    _, videos, voices = (job["input"] for job in jobs_of(fal))
    assert len(videos["reference_video_urls"]) == len(videos["reference_image_urls"]) == 1
    assert len(voices["reference_image_urls"]) == 2
    assert len(voices["reference_audio_urls"]) == 1


def test_extend_video_goes_on_with_a_video_of_frames_and_pays_once(comfy, fal):
    frames = {"images": ["3", 0], "fps": 24.0}
    options = {"duration": 2, "resolution": "720p"}
    prompt = node("FalViduExtendVideo", "Q2 Pro", options, video=["4", 0], prompt="")
    prompt["3"] = picture(9, count=96)
    prompt["4"] = {"class_type": "CreateVideo", "inputs": frames}
    assert_succeeded(comfy.run(prompt))
    prompt["2"]["inputs"]["filename_prefix"] = "video/Other"  # so that the node runs again
    assert_succeeded(comfy.run(prompt))
    (job,) = jobs_of(fal)
    assert job["input"]["duration"] == 2


def test_template_takes_as_many_images_as_it_says(comfy, fal):
    given = {"template": "dynasty_dress", "aspect_ratio": "9:16", "images.image_1": ["1", 0]}
    assert_succeeded(comfy.run(node("FalViduTemplate", **given)))
    refused = comfy.run(node("FalViduTemplate", **given | {"template": "wish_sender"}))
    assert "takes 3 images" in error_of(refused)
    assert len(jobs_of(fal)) == 1


def test_image_to_video_end_image_of_a_model_without_one_names_those_that_do(comfy, fal):
    given = {"image": ["1", 0], "end_image": ["1", 0], "prompt": "A wave."}
    history = comfy.run(node("FalViduImageToVideo", "Q4", IMAGE_TO_VIDEO["Q4"], **given))
    assert "Vidu, Q1, Q2 Turbo, Q2 Pro, Q3 Turbo, Q3" in error_of(history)
    assert jobs_of(fal) == []


SHOTS = {"class_type": "FalViduShots"}
LIST_OF_TWO = {"class_type": "RebatchImages", "inputs": {"images": ["5", 0], "batch_size": 1}}
LISTS = {
    "FalViduImageToVideo": ("Q2 Turbo", {"resolution": "720p", "bgm": False}, {"image": ["6", 0]}),
    "FalViduTextToVideo": ("Q3 Turbo", {"resolution": "360p", "aspect_ratio": "1:1"}, {}),
    "FalViduReferenceToVideo": (
        "Q3 Mix",
        {"resolution": "360p", "aspect_ratio": "1:1", "images.image_1": ["6", 0]},
        {},
    ),
    "FalViduExtendVideo": ("Q2 Pro", {"resolution": "720p"}, {"video": ["8", 0]}),
    "FalViduImage": ("Q2", {"aspect_ratio": "1:1", "images.image_1": ["6", 0]}, {}),
    "FalViduTemplate": ("", {}, {"images.image_1": ["6", 0], "template": "hug"}),
}
"""Model, options and inputs of each generating node that is given lists of two."""


@pytest.mark.parametrize("kind", LISTS)
def test_node_with_lists_makes_a_shot_of_each_element(comfy, fal, kind):
    model, options, given = LISTS[kind]
    if kind == "FalViduTemplate":
        given |= {"aspect_ratio": "9:16", "seed": ["3", 2]}
    else:
        given |= {"prompt": ["3", 1], "seed": ["3", 2]}
    if kind not in ("FalViduTemplate", "FalViduImage"):
        options |= {"duration": ["3", 4]}
    if "audio" in comfy_options(comfy, kind, model):
        options |= {"audio": False}
    if "movement_amplitude" in comfy_options(comfy, kind, model):
        options |= {"movement_amplitude": ["3", 3]}
    prompt = node(kind, model, options, **given)
    lines = "One wave. | 1 | small | 2\nTwo waves. | 2 | large | 3"
    prompt["3"] = SHOTS | {"inputs": {"shots": lines, "base_seed": 1, "duration": 2}}
    prompt |= {"5": picture(99, count=2), "6": LIST_OF_TWO}
    prompt |= {"7": picture(9, count=96)}
    prompt["8"] = {"class_type": "CreateVideo", "inputs": {"images": ["7", 0], "fps": 24.0}}
    history = comfy.run(prompt)
    assert_succeeded(history)
    jobs = sorted(jobs_of(fal), key=lambda job: job["input"]["seed"])
    assert [job["input"]["seed"] for job in jobs] == [1, 2]
    for name, values in (("duration", [2, 3]), ("movement_amplitude", ["small", "large"])):
        if name in options:
            assert [job["input"][name] for job in jobs] == values
    assert len(history["outputs"]["path"]["text"]) == 2


def comfy_options(comfy, kind: str, model: str) -> set[str]:
    """The names of a model's own inputs, as ComfyUI lists them."""
    declared = comfy.object_info()[kind]["input"]["required"].get("model")
    if declared is None:
        return set()
    (inputs,) = [one["inputs"] for one in declared[1]["options"] if one["key"] == model]
    return {name for group in inputs.values() for name in group}
