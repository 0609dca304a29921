"""A listed request beside the one that was sent: the same, likely, different or unclear."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.fal.matching import Match, compare

from ...support.listed_items import (
    IMAGE,
    REFERENCES,
    TEXT,
    TWIN,
    UNREADABLE,
    URL,
    A,
    B,
    C,
    changed,
    item,
)

TEMPLATE = {"template": "hug", "input_image_urls": [URL], "seed": 7}
IMAGES = {"prompt": "The tide", "reference_image_urls": [URL, URL[:-4] + "2.png"], "seed": 7}


def without(arguments: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in names}


SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "as sent": lambda given: given,
    "with defaults": lambda given: {**given, "style": "general", "bgm": False},
    "as text": json.dumps,
    "as text of text": lambda given: json.dumps({"body": json.dumps(given)}),
    "as text of a list": lambda given: json.dumps([given]),
    "as indented text": lambda given: f"\n {json.dumps(given, indent=1)}",
    "nested": lambda given: {"input": given},
    "nested behind another": lambda given: {"meta": {"a": [1]}, "input": given},
    "with an address of another host": lambda given: {**given, "hook": "https://example.com/x"},
    "with a cut address": lambda given: {**given, "log": [f"{URL[:60]}..."]},
    "in a list": lambda given: [{"arguments": given}],
    "seed as text": lambda given: {**given, "seed": "7"},
    "seed as float": lambda given: {**given, "seed": 7.0},
    "prompt composed otherwise": lambda given: {**given, "prompt": f" {given['prompt']}\n"},
}


@pytest.mark.parametrize("sent", [IMAGE, IMAGES, TEXT], ids=["image", "images", "text"])
@pytest.mark.parametrize("shape", SHAPES)
def test_compare_own_input_in_any_shape_is_the_same(shape, sent):
    assert compare(item(SHAPES[shape](dict(sent))), sent) is Match.SAME


@pytest.mark.parametrize(
    "given",
    [
        json.dumps(IMAGE).replace("/", "\\/")[:-40],
        {"image_url": f"{URL}?signature=abc"},
        {"files": [{"url": URL}]},
        changed(IMAGE, prompt="The ti...", seed=None),
        without(IMAGE, "movement_amplitude"),
    ],
    ids=["cut behind the URL", "signed", "elsewhere", "prompt cut", "default left out"],
)
def test_compare_upload_anywhere_is_likely(given):
    assert compare(item(given), IMAGE) is Match.LIKELY


def test_compare_upload_outside_the_input_is_likely():
    assert compare(item(None, media=[URL]), IMAGE) is Match.LIKELY


@pytest.mark.parametrize(
    "changes", [{"seed": 8}, {"seed": 8.0}, {"seed": "8"}, {"seed": 8, "prompt": "Other"}]
)
def test_compare_shared_upload_with_another_seed_is_different(changes):
    assert compare(item(changed(IMAGE, **changes)), IMAGE) is Match.DIFFERENT


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        (without(IMAGE, "seed"), IMAGE),
        (without(IMAGE, "seed"), changed(IMAGE, seed="7")),
        (IMAGE, without(IMAGE, "seed")),
        (without(IMAGE, "prompt"), IMAGE),
        (without(IMAGES, "seed"), IMAGES),
        (IMAGE, without(IMAGE, "prompt")),
        (IMAGE, changed(IMAGE, prompt="")),
        (TEMPLATE, without(TEMPLATE, "seed")),
        (without(TEMPLATE, "seed"), TEMPLATE),
    ],
)
def test_compare_shared_upload_with_a_seed_or_prompt_in_one_alone_is_unclear(sent, given):
    assert compare(item(given), sent) is Match.UNCLEAR
    assert compare(item({"input": json.dumps(given)}), sent) is Match.UNCLEAR


@pytest.mark.parametrize("left_out", [{"seed": None}, {"seed": 0}, {"seed": "0"}, {"prompt": ""}])
def test_compare_shared_upload_with_a_default_for_what_was_left_out_is_the_same(left_out):
    sent = without(IMAGE, *left_out)
    assert compare(item(changed(sent, **left_out)), sent) is Match.SAME


@pytest.mark.parametrize("files", [[A], [B], [A, B]])
def test_compare_some_of_the_uploads_with_another_prompt_is_unclear(files):
    given = changed(REFERENCES, prompt="Rewritten", reference_image_urls=None, files=files)
    assert compare(item(given), REFERENCES) is Match.UNCLEAR


def test_compare_upload_with_another_prompt_is_unclear():
    assert compare(item(changed(IMAGE, prompt="Rewritten")), IMAGE) is Match.UNCLEAR


@pytest.mark.parametrize(
    "given",
    [
        changed(IMAGE, image_url=TWIN),
        changed(IMAGE, image_url=TWIN, seed=None),
        {"image_url": TWIN},
        {"input": json.dumps({"image_url": TWIN})},
        changed(IMAGE, image_url="https://example.com/cat.png", seed=8),
        changed(IMAGE, image_url="data:image/png;base64,AAAA", prompt="A cat"),
    ],
)
def test_compare_whole_other_input_is_different(given):
    assert compare(item(given), IMAGE) is Match.DIFFERENT


@pytest.mark.parametrize("given", UNREADABLE, ids=repr)
@pytest.mark.parametrize("sent", [IMAGE, IMAGES, TEXT], ids=["image", "images", "text"])
def test_compare_unreadable_input_is_unclear(given, sent):
    assert compare(item(given), sent) is Match.UNCLEAR
    assert compare({"request_id": "r-1"}, sent) is Match.UNCLEAR


FRAMES = {"prompt": "The tide", "start_image_url": A, "end_image_url": B, "seed": 7}
COPY = "https://storage.example.com/copy/1.png"


@pytest.mark.parametrize(
    ("sent", "changes"),
    [
        (REFERENCES, {"reference_image_urls": [A, C]}),
        (REFERENCES, {"reference_image_urls": [B, A]}),
        (REFERENCES, {"reference_image_urls": [C]}),
        (REFERENCES, {"reference_image_urls": [A, B, C]}),
        (REFERENCES, {"reference_image_urls": [A, f"{C}?signature=abc"]}),
        (FRAMES, {"end_image_url": C}),
        (FRAMES, {"start_image_url": B, "end_image_url": A}),
    ],
)
def test_compare_other_uploads_than_sent_is_different(sent, changes):
    given = changed(sent, **changes)
    assert compare(item(given), sent) is Match.DIFFERENT
    assert compare(item({"input": json.dumps(given)}), sent) is Match.DIFFERENT


@pytest.mark.parametrize(
    ("sent", "given"),
    [
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A, "..."])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A, f"{B[:-7]}..."])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=["...", B])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=[A, COPY])),
        (REFERENCES, changed(REFERENCES, reference_image_urls=None, files=[A, B])),
        (REFERENCES, json.dumps(REFERENCES)[:-20]),
        (FRAMES, without(FRAMES, "end_image_url")),
        (FRAMES, json.dumps(FRAMES)[:-20]),
        (without(FRAMES, "end_image_url"), FRAMES),
    ],
)
def test_compare_some_of_the_uploads_is_unclear(sent, given):
    assert compare(item(given), sent) is Match.UNCLEAR


def test_compare_signed_uploads_in_order_is_the_same():
    given = changed(REFERENCES, reference_image_urls=[f"{A}?signature=abc", B])
    assert compare(item(given), REFERENCES) is Match.SAME


def test_compare_same_words_with_a_copied_image_is_unclear():
    given = changed(IMAGE, image_url="https://storage.example.com/copy/1.png")
    assert compare(item(given), IMAGE) is Match.UNCLEAR


@pytest.mark.parametrize(
    "changes",
    [
        *({"seed": 8}, {"duration": 8}),
        *({"prompt": "A cat", "seed": 8}, {"prompt": "A cat", "seed": None}),
    ],
)
def test_compare_text_request_with_another_input_is_different(changes):
    assert compare(item(changed(TEXT, **changes)), TEXT) is Match.DIFFERENT


def test_compare_text_request_with_our_seed_and_another_prompt_is_unclear():
    assert compare(item(changed(TEXT, prompt="A cat")), TEXT) is Match.UNCLEAR


@pytest.mark.parametrize("names", [("seed",), ("prompt",), ("prompt", "seed")])
def test_compare_text_request_without_its_marks_is_unclear(names):
    assert compare(item(without(TEXT, *names)), TEXT) is Match.UNCLEAR


def test_compare_text_request_without_defaults_is_the_same():
    assert compare(item(without(TEXT, "duration", "audio")), TEXT) is Match.SAME


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just(URL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*IMAGE, "input", "x"]), inner, max_size=4)
    ),
    max_leaves=9,
)


@given(anything, st.sampled_from([IMAGE, IMAGES, TEXT]))
def test_compare_any_json_ends_in_a_match(given, sent):
    assert compare(item(given), sent) in Match


@given(st.text(min_size=1, max_size=60))
def test_compare_cut_prompt_is_never_different(prompt):
    for end in range(len(prompt)):
        given = {"prompt": prompt[:end]}
        assert compare(item(given), {"prompt": prompt, "seed": 7}) is not Match.DIFFERENT


@pytest.mark.parametrize(
    ("listed", "match"),
    [("true", Match.SAME), ("True", Match.SAME), (1, Match.SAME), ("false", Match.DIFFERENT)],
)
def test_compare_switch_listed_as_text_is_read(listed, match):
    for sent in ({**TEXT, "audio": True}, {**IMAGE, "audio": True}):
        assert compare(item(changed(sent, audio=listed)), sent) is match


@pytest.mark.parametrize("seed", [{"value": 7}, [7], "seven"])
def test_compare_seed_in_a_form_that_cannot_be_read_is_unclear(seed):
    assert compare(item(changed(TEXT, seed=seed)), TEXT) is Match.UNCLEAR


def test_compare_input_nested_without_end_is_unclear():
    assert compare(item('{"input": ' * 100_000), TEXT) is Match.UNCLEAR
