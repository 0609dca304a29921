"""The endpoint values against a copy of fal's schemas, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from vidu.endpoint import NEVER_SENT, SHORT_SIDES
from vidu.endpoints import ENDPOINTS
from vidu.errors import InvalidImageError, InvalidSettingError
from vidu.fields import Choice, MediaField, MediumShape, Ratio, Switch, WholeNumber

from ..support.endpoint_facts import FACTS, FOLDER, HD, each_endpoint, endpoint_called

LIMITS = json.loads((FOLDER / "vidu_limits.json").read_text("utf-8"))


def fact_of(field: Choice | WholeNumber | Switch | Ratio) -> dict:
    """What fal's schema would say of the field."""
    match field:
        case Choice():
            return {"type": "string", "enum": list(field.values), "default": field.default}
        case WholeNumber():
            limits = {"min": field.least, "max": field.most}
            return {"type": "integer", "default": field.default, **limits}
        case Switch():
            return {"type": "boolean", "default": field.default}
        case Ratio():
            return {"type": "string", "default": field.default}


def compared(fact: dict) -> dict:
    """Return a fact of fal's in one form: an enumeration of numbers as a range."""
    values = fact.get("enum")
    fact = {key: fact[key] for key in ("type", "enum", "min", "max", "default") if key in fact}
    if fact["type"] == "integer" and values:
        assert values == list(range(values[0], values[-1] + 1))
        del fact["enum"]
        fact |= {"min": values[0], "max": values[-1]}
    return fact


def test_endpoints_are_the_documented_ones():
    assert ENDPOINTS.keys() == FACTS.keys() == LIMITS.keys()


@each_endpoint
def test_options_match_the_schema(endpoint_id):
    endpoint = ENDPOINTS[endpoint_id]
    ours = {"prompt", "seed", *NEVER_SENT, *(field.name for field in endpoint.media)}
    facts = {
        name: compared(fact)
        for name, fact in FACTS[endpoint_id]["fields"].items()
        if name not in ours
    }
    assert {field.name: fact_of(field) for field in endpoint.fields} == facts


@each_endpoint
def test_endpoint_options_have_a_help(endpoint_id):
    assert all(field.help.endswith(".") for field in ENDPOINTS[endpoint_id].fields)


@each_endpoint
def test_endpoint_options_stand_in_one_order(endpoint_id):
    order = ["template", "duration", "resolution", "aspect_ratio", "audio", "bgm"]
    order += ["movement_amplitude", "style"]
    places = [order.index(field.name) for field in ENDPOINTS[endpoint_id].fields]
    assert places == sorted(places)


@each_endpoint
def test_prompt_matches_the_schema(endpoint_id):
    prompt = ENDPOINTS[endpoint_id].prompt
    fact = FACTS[endpoint_id]["fields"].get("prompt")
    if fact is None:
        assert prompt is None
    else:
        assert (prompt.max_length, prompt.is_required) == (fact["max_length"], fact["required"])


@each_endpoint
def test_media_match_the_schema(endpoint_id):
    media = {field.name: field for field in ENDPOINTS[endpoint_id].media}
    facts = {n: f for n, f in FACTS[endpoint_id]["fields"].items() if n.endswith(("_url", "_urls"))}
    assert media.keys() == facts.keys()
    for name, fact in facts.items():
        field = media[name]
        assert field.is_list == (fact["type"] == "array")
        assert bool(field.least) == fact["required"]
        assert field.most == fact.get("max_items", field.most)
        assert field.least >= fact.get("min_items", field.least)


@each_endpoint
def test_limits_match_the_documents(endpoint_id):
    """What no schema says: counts, aspects, sizes and lengths of media, and of the clip."""
    endpoint, facts = ENDPOINTS[endpoint_id], LIMITS[endpoint_id]
    assert {field.name for field in endpoint.media} == facts["media"].keys()
    for field in endpoint.media:
        fact = facts["media"][field.name]
        limits = {
            "least": field.least,
            "most": field.most,
            "aspect": field.max_aspect if field.kind != "audio" else 0,
            "min_side": field.min_side if field.min_side > 1 else 0,
            "min_s": field.min_s,
            "max_s": field.max_s,
            "max_mb": field.max_bytes / 1e6,
        }
        known = {name: value for name, value in fact.items() if name != "source"}
        assert {name: value for name, value in limits.items() if value or name in known} == known
    has_duration = any(field.name == "duration" for field in endpoint.fields)
    assert ("seconds" in facts) != has_duration
    assert endpoint.seconds == facts.get("seconds", 0)
    assert len(endpoint.rules) == len(facts.get("rules", []))


def shapes_outside(field: MediaField) -> Iterator[tuple[MediumShape, str]]:
    """A medium beyond each limit that the field has, and a word of the refusal."""
    good = good_shape(field)
    if field.kind != "audio":
        yield replace(good, width=4010, height=1000), "aspect"
        yield replace(good, width=1000, height=4010), "aspect"
    if field.min_side > 1:
        yield replace(good, width=field.min_side - 1, height=field.min_side), "at least"
        yield replace(good, width=field.min_side, height=field.min_side - 1), "at least"
    if field.min_s:
        yield replace(good, duration_s=field.min_s - 0.01), "seconds"
    if field.max_s:
        yield replace(good, duration_s=field.max_s + 0.01), "seconds"
    if field.max_bytes:
        yield replace(good, size=field.max_bytes + 1), "MB"


def good_shape(field: MediaField) -> MediumShape:
    if field.kind == "audio":
        return MediumShape(duration_s=5.0)
    return replace(HD, duration_s=0.0 if field.kind == "image" else 5.0)


@each_endpoint
def test_check_media_beyond_each_limit_of_each_field_is_refused_by_its_name(endpoint_id):
    endpoint = ENDPOINTS[endpoint_id]
    options = endpoint.check_options({})
    good = {field.role: [good_shape(field)] * field.least for field in endpoint.media}
    endpoint.check_media(options, good)
    for field in endpoint.media:
        if field.least:
            with pytest.raises(InvalidSettingError, match=f"^{field.role} holds 0"):
                endpoint.check_media(options, good | {field.role: []})
        with pytest.raises(InvalidSettingError, match=f"^{field.role} holds {field.most + 1}"):
            endpoint.check_media(
                options, good | {field.role: [good_shape(field)] * (field.most + 1)}
            )
        for bad, blamed in shapes_outside(field):
            with pytest.raises((InvalidSettingError, InvalidImageError), match=blamed) as refused:
                endpoint.check_media(options, good | {field.role: [bad]})
            assert refused.value.message.startswith(f"{field.role} ")


@each_endpoint
def test_endpoint_takes_a_seed(endpoint_id):
    assert FACTS[endpoint_id]["fields"]["seed"]["type"] == "integer"


@each_endpoint
def test_output_matches_the_schema(endpoint_id):
    assert ENDPOINTS[endpoint_id].output in FACTS[endpoint_id]["output"]


@each_endpoint
def test_output_size_of_every_resolution_is_known(endpoint_id):
    for field in ENDPOINTS[endpoint_id].fields:
        if field.name == "resolution":
            assert set(field.values) <= SHORT_SIDES.keys()


def test_max_generation_s_grows_with_length_and_resolution():
    endpoint = endpoint_called("q4/image-to-video")
    short = endpoint.max_generation_s(endpoint.check_options({"duration": 3}))
    long = endpoint.max_generation_s(endpoint.check_options({"duration": 16, "resolution": "4K"}))
    assert 900 < short < 1200 < 8000 < long
