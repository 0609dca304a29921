"""Q5, which fal does not have, everywhere that a model can be used; run in a copy that has it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vidu.builders import build_request
from vidu.endpoint import Intention
from vidu.library import search_entries

NODE = "FalViduImageToVideo"
Q5 = {"model": ["Q5"], "duration": [20], "resolution": ["1080p"], "slow_motion": [True]}
Q5 |= {"camera": ["orbit"]}
SENT = {"duration": 20, "resolution": "1080p", "slow_motion": True, "camera": "orbit"}
SET = [word for name, value in SENT.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path


async def test_node_sends_every_option_and_shows_the_price(execute, asked, fal, server):
    output = await execute(NODE, slots=(0, 3, 7), **asked(model=Q5, prompt=[""]))
    assert len(output.result[0]) == 1
    (job,) = fal.ledger()["jobs"]
    assert job["endpoint"] == "fal-ai/vidu/q5/image-to-video"
    assert {name: job["input"][name] for name in SENT} == SENT
    assert job["price_usd"] == pytest.approx(0.62)
    assert any("$0.62: Q5, " in text for text in server.texts)


async def test_node_value_that_the_endpoint_refuses_is_refused(execute, asked, fal, tensors, pack):
    errors = pack.vidu.errors
    with pytest.raises(errors.InvalidSettingError, match="duration is 31"):
        await execute(NODE, **asked(model=Q5 | {"duration": [31]}))
    with pytest.raises(errors.InvalidImageError, match="1:2 and 2:1"):
        await execute(NODE, **asked(model=Q5, image=[tensors(1, 60, 200)]))
    assert fal.ledger()["counts"]["jobs"] == 0


async def test_node_has_the_widgets_and_the_badge_follows_them(pack):
    options = pack.nodes.model_inputs.model_options(Intention.IMAGE_TO_VIDEO)
    name, inputs = options[-1].args
    assert (name, [declared.args[0] for declared in inputs]) == ("Q5", list(SENT))
    values = {f"model.{name}": value for name, value in SENT.items()}
    found = pack.nodes.price_estimate.estimate(NODE, {"model": "Q5"} | values)
    assert float(found.high) == 0.62


async def test_shot_list_has_lines_as_long_as_it_takes(pack):
    (shot,) = pack.vidu.shots.shot_list.read_shots("A wave. | | | 30")
    assert shot.duration == 30


async def test_draft_has_the_length_and_sound_of_the_endpoint(execute, asked):
    model = Q5 | {"duration": [2], "resolution": ["720p"]}
    output = await execute(NODE, slots=(), **asked(model=model, mode=["draft"], max_frames=[1]))
    assert output.result[5] == [1]


def test_command_line_makes_the_clip_and_finds_it_again(shell, swift_fal, picture, clips):
    done = shell("generate", picture, "--model", "q5", *SET, "--out", clips, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cost_usd"] == pytest.approx(0.62)
    (job,) = swift_fal.ledger()["jobs"]
    assert SENT.items() <= job["input"].items()
    again = shell("generate", picture, "--model", "q5", *SET, "--out", clips, "--json")
    assert json.loads(again.stdout)["reused"]


def test_command_line_names_a_refused_image_as_the_node_does(shell, swift_fal, picture, clips):
    swift_fal.set_faults("last_medium_refused:1")
    done = shell("generate", picture, "--model", "q5", "--end", picture, "--out", clips)
    assert f"end_image is --end {picture}" in done.stderr


def test_models_command_lists_the_endpoint(shell):
    table = shell("models").stdout
    block = table[table.index("fal-ai/vidu/q5/image-to-video") :].split("\n\n")[0]
    assert "--set camera=still|orbit (default still)" in block
    assert "$0.01 + $0.02 a second at 720p, $0.02 + $0.03 a second at 1080p" in block


def test_manifest_takes_its_options_as_columns(shell, swift_fal, picture, tmp_path):
    manifest = tmp_path / "shots.csv"
    manifest.write_text("image,model,duration,slow_motion,camera\na.png,q5,20,yes,orbit\n")
    done = shell("batch", manifest, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    (job,) = swift_fal.ledger()["jobs"]
    assert (job["input"]["duration"], job["input"]["slow_motion"]) == (20, True)


async def test_library_and_python_find_the_clip(shell, swift_fal, picture, clips, vidu_home):
    shell("generate", picture, "--model", "q5", "--out", clips)
    page = await search_entries(vidu_home, model="Q5", offset=0, limit=9)
    assert [entry.endpoint for entry in page.entries] == ["fal-ai/vidu/q5/image-to-video"]
    with Image.open(picture) as image:
        media = {"image": [np.asarray(image)]}
        request = build_request(Intention.IMAGE_TO_VIDEO, "q5", media=media)
    assert request.options["camera"] == "still"
