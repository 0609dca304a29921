"""The rules in filename_prefix, filled in where the editor did not do it."""

from __future__ import annotations

import time

import pytest

from vidu.errors import Charge

NOW = time.struct_time((2026, 3, 7, 9, 5, 4, 5, 66, 0))
PROMPT = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a/b.png"}, "_meta": {"title": "Picture"}},
    "2": {
        "class_type": "FalViduImageToVideo",
        "inputs": {"seed": 7, "image": ["1", 0], "model.duration": 4.0, "loop": True},
        "_meta": {"title": "My Shot"},
    },
}


@pytest.fixture
def fill(pack):
    from pack_without_comfyui.nodes.host.filename_prefix import fill_in_prefix

    return lambda prefix, prompt=PROMPT: fill_in_prefix(prefix, prompt, NOW)


@pytest.mark.parametrize(
    ("prefix", "filled"),
    [
        ("video/Vidu", "video/Vidu"),
        ("%date:yyyy-MM-dd%/%date:hh-mm-ss%", "2026-03-07/09-05-04"),
        ("%date:yy_M_d_h%", "26_3_7_9"),
        ("%year%-%month%-%day%_%hour%%minute%%second%", "2026-03-07_090504"),
        ("%LoadImage.image%_%My Shot.seed%", "a_b.png_7"),
        ("%FalViduImageToVideo.model.duration%_%Picture.image%", "4_a_b.png"),
        ("%FalViduImageToVideo.loop%", "true"),
        ("%width%x%height%", "%width%x%height%"),
        ("100% of it, 5.5% of 6.6% left", "100% of it, 5.5% of 6.6% left"),
        ("%batch_num%", "%batch_num%"),
    ],
)
def test_fill_in_prefix_rule_becomes_its_value(prefix, filled, fill):
    assert fill(prefix) == filled


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("%Nobody.seed%", "the graph has no node Nobody"),
        ("%LoadImage.seed%", "LoadImage has no widget seed"),
        ("%My Shot.image%", "it is linked"),
    ],
)
def test_fill_in_prefix_rule_without_a_value_is_refused(prefix, why, fill):
    with pytest.raises(Exception, match=why) as caught:
        fill(f"film/{prefix}")
    assert type(caught.value).__name__ == "InvalidSettingError"
    assert prefix in caught.value.message
    assert caught.value.charge.name == Charge.NOT_SPENT.name


async def test_execute_prefix_with_an_unknown_node_pays_nothing(execute, asked, fal):
    with pytest.raises(Exception, match="the graph has no node Nobody"):
        await execute("FalViduImageToVideo", **asked(filename_prefix=["film/%Nobody.seed%"]))
    assert fal.ledger()["requests"] == []


async def test_execute_prefix_with_a_date_is_filled_in(execute, asked, fal):
    days = {time.strftime("%Y-%m-%d")}
    output = await execute(
        "FalViduImageToVideo", **asked(filename_prefix=["film/%date:yyyy-MM-dd%"])
    )
    days.add(time.strftime("%Y-%m-%d"))
    (path,) = output.result[1]
    assert any(day in path for day in days)
