"""The nodes' schemas, inputs and wiring over the fake ComfyUI."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vidu.catalog import MODELS
from vidu.endpoint import Intention

ROOT = Path(__file__).resolve().parents[3]

GENERATING = (
    "FalViduImageToVideo",
    "FalViduTextToVideo",
    "FalViduReferenceToVideo",
    "FalViduExtendVideo",
    "FalViduTemplate",
    "FalViduImage",
)


async def nodes_of(pack) -> dict[str, Any]:
    extension = await pack.nodes.comfy_entrypoint()
    return {node.__name__: node for node in await extension.get_node_list()}


async def test_extension_lists_the_nodes(pack):
    listed = await nodes_of(pack)
    assert list(listed) == [*GENERATING, "FalViduShots", "FalViduSavedClip"]
    assert [node.define_schema().node_id for node in listed.values()] == list(listed)


@pytest.mark.parametrize("name", GENERATING)
async def test_generating_node_blames_one_input_for_a_missing_key(pack, server, name):
    node = (await nodes_of(pack))[name]
    signature = inspect.getfullargspec(node.validate_inputs)
    assert signature.args == ["cls", "mode"]  # the host blames each of them
    assert "There is no fal key" in node.validate_inputs(["live"])
    assert "choose live or draft" in node.validate_inputs(["rehearsal"])
    assert node.validate_inputs(["draft"]) is True
    assert node.validate_inputs([None]) is True


@pytest.mark.parametrize("name", [name for name in GENERATING if name != "FalViduImage"])
async def test_wiring_decides_whether_a_node_runs_again(pack, running, name):
    node = (await nodes_of(pack))[name]
    seen = []
    for slots in ((), (1, 2), (0,), (0, 3), (7,)):
        with running(slots):
            seen.append(node.fingerprint_inputs(prompt=["x"]))
    assert seen == ["", "", "0", "0,3", "7"]


async def test_connected_slots_of_a_node_that_expanded_are_all(pack, running, server):
    from comfy_execution.utils import CurrentNodeContext

    with running(()), CurrentNodeContext("a-prompt", "2.0.0.1"):
        assert pack.nodes.host.connected_slots((0, 3)) == {0, 3}


async def test_connected_slots_know_links_made_while_the_prompt_runs(pack, running):
    class DynamicPrompt:
        def all_node_ids(self) -> set[str]:
            return {"9.1", "9.2"}

        def get_node(self, name: str) -> dict[str, Any]:
            links = {"9.1": ["2", 3], "9.2": [2, 0]}
            return {"inputs": {"image": links[name]}}

    with running((1,)):
        assert pack.nodes.host.connected_slots((0, 3), DynamicPrompt()) == {3}


@pytest.mark.parametrize("intention", [i for i in Intention if i is not Intention.TEMPLATE])
def test_model_choice_has_the_inputs_of_each_model(pack, intention):
    options = pack.nodes.model_inputs.model_options(intention)
    for option, model in zip(options, MODELS[intention], strict=True):
        name, inputs = option.args
        assert name == model.name
        assert "." not in name
        fields = [field.name for field in model.endpoints[0].fields]
        names = [declared.args[0] for declared in inputs]
        assert names[len(names) - len(fields) :] == fields
        assert set(names) - set(fields) <= {"images", "videos", "voices"}
        assert all(declared.tooltip for declared in inputs)


def test_pair_inputs_broadcasts_a_single_value(pack):
    paired = pack.nodes.input_lists.pair_inputs(prompt=["a", "b"], seed=[1])
    assert paired == [{"prompt": "a", "seed": 1}, {"prompt": "b", "seed": 1}]


def test_pair_inputs_that_do_not_pair_are_refused(pack):
    lists, refused = pack.nodes.input_lists, pack.vidu.errors.InvalidSettingError
    with pytest.raises(refused, match="prompt holds 3 values and seed 2"):
        lists.pair_inputs(prompt=["a", "b", "c"], seed=[1, 2])
    with pytest.raises(refused, match="seed holds nothing"):
        lists.pair_inputs(prompt=["a"], seed=[])


def test_single_value_of_several_is_refused(pack):
    lists, refused = pack.nodes.input_lists, pack.vidu.errors.InvalidSettingError
    assert lists.single_value("mode", ["live", "live"]) == "live"
    with pytest.raises(refused, match=r"mode must be a single value \(got 2\)"):
        lists.single_value("mode", ["live", "draft"])


def test_shot_labels_name_place_line_and_prompt(pack):
    lists = pack.nodes.input_lists
    labels = lists.shot_labels([lists.prompt_with_line("The waves", 7), ""])
    assert labels == ['1 of 2, line 7 ("The waves")', "2 of 2"]


async def test_shots_begin_with_their_examples_as_comments(pack):
    node = (await nodes_of(pack))["FalViduShots"]
    (shots, *_) = node.define_schema().inputs
    assert all(line.startswith("#") for line in shots.default.splitlines())
    assert "is empty" in node.validate_inputs([shots.default])


async def test_prompts_are_sent_as_they_are_written(pack):
    """The host's dynamic prompts would make each run another paid shot."""
    for node in (await nodes_of(pack)).values():
        for declared in node.define_schema().inputs:
            assert not getattr(declared, "dynamic_prompts", False)


async def test_comfy_entrypoint_of_a_second_copy_steps_aside_in_words(pack, monkeypatch):
    other = ModuleType("custom_nodes.vidu-on-fal-main.nodes")
    other.FalViduExtension = object
    other.__file__ = "/ComfyUI/custom_nodes/vidu-on-fal-main/nodes/__init__.py"
    monkeypatch.setitem(sys.modules, other.__name__, other)
    with pytest.raises(RuntimeError, match=r"loaded from .*vidu-on-fal-main already"):
        await pack.nodes.comfy_entrypoint()
    assert pack.nodes.other_copy.find_other_copy(other.__name__) == ROOT
