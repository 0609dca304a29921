"""Each generating node with a model chosen: saved and opened, copied, in a subgraph, exported."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field

import pytest

BUILD = """([type, values, links]) => {
    const node = LiteGraph.createNode(type);
    node.pos = [700, 60];
    app.graph.add(node);
    for (const [name, value] of Object.entries(values)) {
        const widget = node.widgets.find((widget) => widget.name === name);
        if (!widget) throw new Error(`${type} has no widget ${name}`);
        widget.value = value;
        widget.callback?.(value);
    }
    links.forEach(([name, source, output], place) => {
        const from = LiteGraph.createNode(source);
        from.pos = [40, 60 + 400 * place];
        app.graph.add(from);
        const at = (slots, name) => slots.findIndex((slot) => slot.name === name);
        if (at(node.inputs, name) < 0) throw new Error(`${type} has no input ${name}`);
        from.connect(output ? at(from.outputs, output) : 0, node, at(node.inputs, name));
    });
}"""
STATE = """(type) => {
    const node = app.graph.nodes.findLast((node) => node.type === type);
    const widgets = node.widgets
        .filter(({ serialize }) => serialize !== false)
        .map(({ name, value }) => [name, value]);
    const links = node.inputs
        .filter(({ link }) => link != null)
        .map(({ name, link }) => {
            const { origin_id, origin_slot } = app.graph.getLink(link);
            return [name, app.graph.getNodeById(origin_id).type, origin_slot];
        });
    return { widgets, links };
}"""
SENT = """async (type) => {
    const { output } = await app.graphToPrompt();
    const sent = Object.values(output).findLast(({ class_type }) => class_type === type).inputs;
    const source = ([id, slot]) => [output[id].class_type, slot];
    const entries = Object.entries(sent);
    return Object.fromEntries(
        entries.map(([name, value]) => [name, Array.isArray(value) ? source(value) : value]),
    );
}"""
COPY = """(type) => {
    const node = app.graph.nodes.find((node) => node.type === type);
    app.canvas.selectItems([node]);
    app.canvas.copyToClipboard();
    app.canvas.pasteFromClipboard({ connectInputs: true });
}"""
INTO_SUBGRAPH = """(type) => {
    app.graph.convertToSubgraph(new Set([app.graph.nodes.find((node) => node.type === type)]));
}"""


@dataclass(frozen=True)
class Case:
    """One node with one model: its widgets in order, and its links as (input, node, output)."""

    node: str
    values: dict[str, object]
    links: list[tuple[str, str, str]] = field(default_factory=list)


IMAGE, END = ("image", "LoadImage", ""), ("end_image", "LoadImage", "")
LENGTH = ("model.duration", "PrimitiveInt", "")
CASES = {
    "image to video, Q3": Case(
        "FalViduImageToVideo",
        {"model": "Q3", "model.resolution": "1080p", "model.audio": False, "seed": 42},
        [IMAGE, END, LENGTH],
    ),
    "image to video, Q2 Pro": Case(
        "FalViduImageToVideo",
        {"model": "Q2 Pro", "model.duration": 7, "model.bgm": True, "mode": "draft"},
        [IMAGE, ("model.movement_amplitude", "FalViduShots", "movement_amplitude")],
    ),
    "text to video, Q1": Case(
        "FalViduTextToVideo", {"prompt": "A wave.", "model": "Q1", "model.style": "anime"}
    ),
    "text to video, Q4": Case(
        "FalViduTextToVideo",
        {"model": "Q4", "model.resolution": "4K", "model.aspect_ratio": "3:4"},
        [LENGTH],
    ),
    "reference to video, Q4": Case(
        "FalViduReferenceToVideo",
        {"model": "Q4", "model.duration": 7, "model.resolution": "2K", "model.audio": True},
        [
            ("model.images.image_1", "LoadImage", ""),
            ("model.images.image_2", "LoadImage", ""),
            ("model.voices.voice_1", "EmptyAudio", ""),
        ],
    ),
    "reference to video, Q2 Pro": Case(
        "FalViduReferenceToVideo",
        {"model": "Q2 Pro", "model.aspect_ratio": "auto", "seed": 9},
        [("model.images.image_1", "LoadImage", ""), ("model.videos.video_1", "CreateVideo", "")],
    ),
    "extend video": Case(
        "FalViduExtendVideo",
        {"prompt": "On.", "model.resolution": "1080p", "filename_prefix": "video/On"},
        [("video", "CreateVideo", ""), LENGTH],
    ),
    "template": Case(
        "FalViduTemplate",
        {"template": "orbit", "aspect_ratio": "9:16", "seed": 3},
        [("images.image_1", "LoadImage", "")],
    ),
    "image, Vidu": Case(
        "FalViduImage",
        {"prompt": "A tower.", "model": "Vidu", "model.aspect_ratio": "1:1"},
        [("model.images.image_1", "LoadImage", ""), ("model.images.image_2", "LoadImage", "")],
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def each_case_but(name: str, reason: str) -> pytest.MarkDecorator:
    """Each case; the editor of ComfyUI 0.33 loses a link of this one, whatever node it is."""
    lost = pytest.mark.xfail(reason=reason, strict=False)  # an older or newer editor may not
    values = [
        pytest.param(case, id=each, marks=[lost] if each == name else [])
        for each, case in CASES.items()
    ]
    return pytest.mark.parametrize("case", values)


def build(editor, case: Case) -> tuple[dict, dict]:
    """The node's state and what is sent of it, after it was built as the case says."""
    # The editor holds the values of widgets by graph and node: in the same one they would stay.
    editor.load({"id": str(uuid.uuid4()), "version": 0.4, "nodes": [], "links": []})
    editor.page.evaluate(BUILD, [case.node, case.values, case.links])
    state, sent = read(editor, case.node)
    shown = dict(state["widgets"])
    assert {name: shown[name] for name in case.values} == case.values
    assert {name: source for name, source, _ in state["links"]} == {
        name: source for name, source, _ in case.links
    }
    linked = {name for name, *_ in case.links}
    assert linked <= sent.keys()
    assert case.values.items() <= sent.items()
    return state, sent


def read(editor, node: str) -> tuple[dict, dict]:
    return editor.page.evaluate(STATE, node), editor.page.evaluate(SENT, node)


def reopen(editor) -> None:
    """Save the workflow as the editor saves it, and open it on an empty canvas."""
    saved = json.loads(json.dumps(editor.page.evaluate("() => app.graph.serialize()")))
    editor.clear()
    editor.load(saved)


@each_case
def test_workflow_saved_with_a_model_opens_with_its_widgets_and_links(editor_in_both, case):
    editor = editor_in_both
    before = build(editor, case)
    reopen(editor)
    assert read(editor, case.node) == before


@each_case_but(
    "extend video",
    "it pastes links by place, and the inputs of a model that was never changed stand elsewhere",
)
def test_copied_node_has_the_same_model_values_and_links(editor_in_both, case):
    editor = editor_in_both
    before = build(editor, case)
    editor.page.evaluate(COPY, case.node)
    count = "(type) => app.graph.nodes.filter((node) => node.type === type).length"
    assert editor.page.evaluate(count, case.node) == 2
    assert read(editor, case.node) == before


@each_case_but(
    "reference to video, Q4",
    "it connects inputs before a growing input has grown: references after the first are lost",
)
def test_node_in_a_subgraph_sends_the_same_saved_or_not(editor_in_both, case):
    editor = editor_in_both
    _, sent = build(editor, case)
    editor.page.evaluate(INTO_SUBGRAPH, case.node)
    assert editor.page.evaluate(SENT, case.node) == sent
    reopen(editor)
    assert editor.page.evaluate(SENT, case.node) == sent


def test_switch_of_the_model_keeps_the_values_that_both_have(editor_in_both):
    editor = editor_in_both
    node = "FalViduTextToVideo"
    chosen = {"model": "Q3", "model.duration": 9, "model.aspect_ratio": "4:3", "model.audio": False}
    build(editor, Case(node, chosen))
    editor.change(node, model="Q4")
    (shown,) = editor.nodes(node)
    assert (shown["model.duration"], shown["model.aspect_ratio"]) == (9, "4:3")
    editor.change(node, model="Q2")  # at most 8 s, and no 4:3
    (shown,) = editor.nodes(node)
    assert (shown["model.duration"], shown["model.aspect_ratio"]) == (4, "16:9")
    editor.change(node, model="Q3")
    (shown,) = editor.nodes(node)
    assert {name: shown[name] for name in chosen} == chosen
