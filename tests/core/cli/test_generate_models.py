"""`vidu generate` and `batch` with the other models: what is asked of fal, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ...support.media import video_medium, voice_medium

PROMPT = ("--prompt", "The tide comes in")


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """Two images, a video and a voice."""
    found = {name: tmp_path / f"{name}.png" for name in ("a", "b")}
    for number, path in enumerate(found.values()):
        ramp = Image.linear_gradient("L").resize((256, 192)).point(lambda v, n=number: v // (n + 1))
        ramp.convert("RGB").save(path)
    found["video"] = tmp_path / "in.mp4"
    found["video"].write_bytes(video_medium().data)
    found["voice"] = tmp_path / "voice.mp3"
    found["voice"].write_bytes(voice_medium().data)
    return found


CASES = [
    (
        "{a} --model q3 --set duration=8 --set resolution=1080P --end {b}",
        "q3/image-to-video",
        {"duration": 8, "resolution": "1080p"},
        1.232,
    ),
    ("--task text-to-video --model q1", "q1/text-to-video", {"style": "general"}, 0.40),
    ("--reference {a} --reference {b} --model q1", "q1/reference-to-video", {}, 0.40),
    ("--reference {a} --reference {voice} --model q4", "q4/reference-to-video", {}, None),
    ("--video {video} --set duration=4", "q2/video-extension/pro", {"duration": 4}, None),
    ("{a} --task template --set template=hug", "template-to-video", {"template": "hug"}, None),
    ("--task image --model q2", "q2/text-to-image", {}, 0.10),
]


@pytest.mark.parametrize(("words", "endpoint", "options", "cost_usd"), CASES)
def test_generate_with_a_model_asks_its_endpoint_and_saves_the_output(
    words, endpoint, options, cost_usd, shell, swift_fal, files, clips
):
    prompt = () if "template" in words else PROMPT
    arguments = [word.format(**files) for word in words.split()]
    done = shell("generate", *arguments, *prompt, "--out", clips, "--json")
    assert done.returncode == 0, done.stderr
    (made,) = [json.loads(line) for line in done.stdout.splitlines()]
    (job,) = swift_fal.ledger()["jobs"]
    assert job["endpoint"].startswith(f"fal-ai/vidu/{endpoint}")
    assert options.items() <= job["input"].items()
    assert Path(made["file_path"]).exists()
    assert made["cost_usd"] == pytest.approx(job["price_usd"])
    if cost_usd:
        assert made["cost_usd"] == pytest.approx(cost_usd)
    again = shell("generate", *arguments, *prompt, "--out", clips, "--json")
    assert json.loads(again.stdout)["reused"] is True
    assert len(swift_fal.ledger()["jobs"]) == 1


@pytest.mark.parametrize(
    ("words", "fault", "named"),
    [
        ("{a} --model q1 --end {b}", "last_medium_refused", "end_image is --end {b}"),
        ("{a} --model q1 --end {b}", "first_medium_refused", "image is {a}"),
        (
            "--reference {a} --reference {b} --model q1",
            "last_medium_refused",
            "2 is --reference {b}",
        ),
        ("--reference {a} --reference {voice} --model q4", "last_medium_refused", "{voice}"),
        ("{a} --task template", "first_medium_refused", "images 1 is {a}"),
        ("--video {video}", "last_medium_refused", "video is --video {video}"),
    ],
)
def test_generate_with_a_refused_file_names_its_argument(
    words, fault, named, shell, swift_fal, files, clips
):
    swift_fal.set_faults(f"{fault}:1")
    prompt = () if "template" in words else PROMPT
    arguments = [word.format(**files) for word in words.split()]
    done = shell("generate", *arguments, *prompt, "--out", clips)
    assert done.returncode == 1
    assert f"{named.format(**files)})" in " ".join(done.stderr.split())
    assert "_url" not in done.stderr


def test_batch_with_several_models_in_one_manifest_makes_each(shell, swift_fal, files, tmp_path):
    manifest = tmp_path / "shots.csv"
    manifest.write_text(
        "Image;End Image;Images;Prompt;Model;Task;Duration\n"
        "a.png;b.png;;A wave;q3;;4\n"
        ";;a.png|b.png;A fox;q1;;\n"
        ";;;A gull;q2;text-to-video;3\n",
        encoding="utf-8",
    )
    done = shell("batch", manifest, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    tasks = {json.loads(line)["task"] for line in done.stdout.splitlines()}
    assert tasks == {"image-to-video", "reference-to-video", "text-to-video"}
    jobs = swift_fal.ledger()["jobs"]
    assert {job["endpoint"].removeprefix("fal-ai/vidu/") for job in jobs} == {
        "q3/image-to-video",
        "q1/reference-to-video",
        "q2/text-to-video",
    }
