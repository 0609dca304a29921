"""How many shots a node of a graph makes, and when two graphs ask for the same."""

from __future__ import annotations

from pathlib import Path

import pytest

NODE = "FalViduImageToVideo"


def load(name="lighthouse.png"):
    return {"class_type": "LoadImage", "inputs": {"image": name}}


def shots(lines):
    return {"class_type": "FalViduShots", "inputs": {"shots": lines, "base_seed": 0}}


def vidu(**inputs):
    return {
        "class_type": NODE,
        "inputs": {"mode": "live", "seed": 1, "prompt": "A wave.", **inputs},
    }


@pytest.fixture
def count(pack):
    def call(**nodes):
        graph = pack.nodes.graph.Graph.parse(nodes)
        return pack.nodes.graph.count_shots(graph, "vidu")

    return call


@pytest.fixture
def sign(pack):
    def call(**nodes):
        return pack.nodes.graph.signature(pack.nodes.graph.Graph.parse(nodes), "vidu")

    return call


def test_count_shots_of_one_loaded_image_is_one(count):
    assert count(image=load(), vidu=vidu(image=["image", 0])) == 1


def test_count_shots_of_an_animated_image_is_open(count):
    assert count(image=load("wave.gif"), vidu=vidu(image=["image", 0])) is None


def test_count_shots_of_a_shot_list_is_its_lines(count):
    lines = "# a comment\nA wave.\nA bird. | 7\n\nA ship."
    nodes = {"list": shots(lines), "image": load()}
    assert count(**nodes, vidu=vidu(image=["image", 0], prompt=["list", 1])) == 3


def test_count_shots_of_a_chain_is_that_of_its_first_node(count):
    nodes = {"list": shots("A.\nB."), "image": load()}
    nodes["first"] = vidu(image=["image", 0], prompt=["list", 1])
    assert count(**nodes, vidu=vidu(image=["first", 3])) == 2


@pytest.mark.parametrize("source", [NODE, "FalViduSavedClip"])
def test_count_shots_of_the_frames_of_a_clip_is_open(count, source):
    nodes = {"image": load(), "first": {**vidu(image=["image", 0]), "class_type": source}}
    assert count(**nodes, vidu=vidu(image=["first", 0])) is None
    assert count(**nodes, vidu=vidu(image=["image", 0], end_image=["first", 0])) is None
    assert count(**nodes, vidu=vidu(images=["first", 0])) == 1


def test_count_shots_of_the_still_of_a_node_is_one(count):
    still = {"class_type": "FalViduImage", "inputs": {"prompt": "A wave."}}
    assert count(first=still, vidu=vidu(image=["first", 0])) == 1


def test_count_shots_of_a_foreign_node_is_open(count):
    unknown = {"class_type": "SomethingElse", "inputs": {}}
    assert count(image=unknown, vidu=vidu(image=["image", 0])) is None


def test_count_shots_of_a_circle_ends(count):
    assert count(other=vidu(image=["vidu", 0]), vidu=vidu(image=["other", 0])) is None


def test_count_shots_reads_each_node_once(count, pack, monkeypatch):
    read = []
    monkeypatch.setattr(pack.nodes.host, "is_animated", lambda name: bool(read.append(name)))
    nodes = {"0": load()}
    for number in range(1, 15):
        before = [str(number - 1), 0 if number == 1 else 3]
        nodes[str(number)] = vidu(image=before, end_image=before)
    assert count(**nodes, vidu=vidu(image=["14", 3])) == 1
    assert len(read) <= 2


def test_count_shots_of_two_circles_between_two_nodes_ends(count):
    both = {"image": ["vidu", 3], "end_image": ["vidu", 3]}
    assert count(other=vidu(**both), vidu=vidu(image=["other", 3], end_image=["other", 3])) is None


@pytest.fixture
def picture(tmp_path, monkeypatch):
    """An image in the host's input folder."""
    monkeypatch.setenv("VIDU_HOME", str(tmp_path))
    path = tmp_path / "input" / "lighthouse.png"
    path.parent.mkdir()
    path.write_bytes(b"a picture")
    return path


def test_signature_changes_with_what_is_asked_for(sign, picture):
    def signature(seed):
        return sign(image=load(), vidu=vidu(image=["image", 0], seed=seed))

    assert signature(1) == signature(1) is not None
    assert signature(1) != signature(2)


def test_signature_changes_with_the_file_of_the_image(sign, picture):
    before = sign(image=load(), vidu=vidu(image=["image", 0]))
    picture.write_bytes(b"another picture")
    assert sign(image=load(), vidu=vidu(image=["image", 0])) != before


@pytest.mark.parametrize("name", ["{outside}", "../outside.png", "../input_2/outside.png"])
def test_signature_looks_at_no_file_outside_the_hosts_folders(name, sign, picture, monkeypatch):
    outside = picture.parent.parent / "outside.png"
    beside = picture.parent.parent / "input_2" / "outside.png"
    beside.parent.mkdir()
    looked_at = []
    is_file = Path.is_file

    def recorded(path):
        looked_at.append(path)
        return is_file(path)

    for path in (outside, beside):
        path.write_bytes(b"a picture")
    monkeypatch.setattr(Path, "is_file", recorded)
    prompt = name.format(outside=outside)
    sign(image=load(), vidu=vidu(image=["image", 0], prompt=prompt))
    assert picture in looked_at
    assert not [path for path in looked_at if not path.is_relative_to(picture.parent)]


def test_signature_ignores_what_changes_no_clip(sign):
    one = sign(list=shots("A."), vidu=vidu(prompt=["list", 1], filename_prefix="a"))
    other = sign(list=shots("A."), vidu=vidu(prompt=["list", 1], filename_prefix="b", mode="draft"))
    assert one is not None
    assert one == other


def test_signature_after_a_node_that_may_change_is_unknown(sign):
    random = {"class_type": "SomethingElse", "inputs": {}}
    assert sign(image=random, vidu=vidu(image=["image", 0])) is None


def test_graph_parse_leaves_out_what_is_no_node(pack):
    graph = pack.nodes.graph.Graph.parse({"1": None, "2": {"class_type": 3}, "3": load()})
    assert set(graph.nodes) == {"3"}
