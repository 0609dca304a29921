"""The endpoint values against a copy of fal's schemas and price pages, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from vidu.catalog import MODELS, all_choices, find_endpoint, find_intention, find_model
from vidu.endpoint import NEVER_SENT, SHORT_SIDES, Endpoint, Intention
from vidu.endpoints import ENDPOINTS
from vidu.errors import InvalidImageError, InvalidSettingError
from vidu.fields import Choice, MediaField, MediumShape, Ratio, Switch, WholeNumber, as_whole_number
from vidu.pricing import ANY, format_usd

FOLDER = Path(__file__).parents[1] / "facts"
FACTS = json.loads((FOLDER / "vidu_family.json").read_text("utf-8"))
LIMITS = json.loads((FOLDER / "vidu_limits.json").read_text("utf-8"))
each_endpoint = pytest.mark.parametrize("endpoint_id", FACTS)
HD = MediumShape(1280, 720)


def endpoint_called(part: str) -> Endpoint:
    return ENDPOINTS[f"fal-ai/vidu/{part}"]


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
def test_every_option_has_a_help(endpoint_id):
    assert all(field.help.endswith(".") for field in ENDPOINTS[endpoint_id].fields)


@each_endpoint
def test_options_stand_in_the_house_order(endpoint_id):
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
def test_every_endpoint_takes_a_seed(endpoint_id):
    assert FACTS[endpoint_id]["fields"]["seed"]["type"] == "integer"


@each_endpoint
def test_output_matches_the_schema(endpoint_id):
    assert ENDPOINTS[endpoint_id].output in FACTS[endpoint_id]["output"]


@each_endpoint
def test_prices_match_the_page(endpoint_id):
    price, table = FACTS[endpoint_id]["price"], ENDPOINTS[endpoint_id].price
    for key, fact in price["rates"].items():
        if price["by"] == "template tier":
            continue
        rate = table.rates.get(key) or table.rates[ANY]
        if fact["base"] is None:
            assert rate.is_upper_bound
            continue
        known = Decimal(fact["base"]), Decimal(fact["per_second"])
        assert (rate.base, rate.per_second, rate.is_upper_bound) == (*known, False), key
    assert table.date == FACTS[endpoint_id]["price_date"]
    assert table.source


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("hug", "$0.20"),
        ("dynasty_dress", "$0.30"),
        ("live_photo", "$0.50"),
        ("hulk", "up to $0.50"),
    ],
)
def test_price_of_a_template_is_its_tier_or_at_most_the_highest(template, shown):
    endpoint = endpoint_called("template-to-video")
    options = endpoint.check_options({"template": template})
    assert str(endpoint.quote(options, {"images": [HD]})) == shown


@pytest.mark.parametrize(
    ("part", "options", "shown"),
    [
        ("image-to-video", {}, "$0.20"),
        ("q2/image-to-video/pro", {}, "$0.30"),
        ("q2/image-to-video/pro", {"duration": 8, "resolution": "1080p"}, "$1.10"),
        ("q2/image-to-video/turbo", {}, "$0.20"),
        ("q2/text-to-video", {"resolution": "360p"}, "up to $0.30"),
        ("q3/image-to-video", {}, "$0.77"),
        ("q3/image-to-video", {"duration": 16, "resolution": "1080p"}, "$2.464"),
        ("q3/image-to-video/turbo", {}, "$0.385"),
        ("q4/image-to-video", {}, "$0.475"),
        ("q4/image-to-video", {"duration": 16, "resolution": "4K"}, "$6.24"),
    ],
)
def test_quote_with_options_is_the_list_price(part, options, shown):
    endpoint = endpoint_called(part)
    assert str(endpoint.quote(endpoint.check_options(options), {})) == shown


def test_quote_of_an_extension_counts_the_seconds_of_both():
    endpoint = endpoint_called("q2/video-extension/pro")
    shapes = {"video": [MediumShape(1280, 720, 5.5)]}
    quote = endpoint.quote(endpoint.check_options({}), shapes)
    assert str(quote) == "up to $0.713"
    assert quote.usd == Decimal("0.7125")


@pytest.mark.parametrize(
    ("usd", "shown"),
    [("0.385", "$0.385"), ("0.20", "$0.20"), ("5", "$5.00"), ("0.0001", "$0.001"), ("0", "$0.00")],
)
def test_format_usd_rounds_up_to_a_tenth_of_a_cent(usd, shown):
    assert format_usd(Decimal(usd)) == shown


@pytest.mark.parametrize(
    ("part", "options", "blamed"),
    [
        ("image-to-video", {"duration": 8}, "duration"),
        ("image-to-video", {"movement_amplitude": "huge"}, "movement_amplitude"),
        ("q3/image-to-video", {"duration": 17}, "1 to 16"),
        ("q3/image-to-video", {"duration": 2.5}, "duration"),
        ("q3/image-to-video", {"duration": "5"}, "duration"),
        ("q3/image-to-video", {"duration": True}, "duration"),
        ("q3/image-to-video", {"audio": "maybe"}, "audio"),
        ("q4/image-to-video", {"resolution": "2k"}, "2K"),
        ("q2/reference-to-video/pro", {"aspect_ratio": "wide"}, "16:9"),
    ],
)
def test_check_options_outside_the_limits_is_refused(part, options, blamed):
    with pytest.raises(InvalidSettingError, match=blamed):
        endpoint_called(part).check_options(options)


def test_check_options_fills_in_the_defaults():
    options = endpoint_called("q3/image-to-video").check_options({"duration": 7.0})
    assert options == {"duration": 7, "resolution": "720p", "audio": True}
    assert type(options["duration"]) is int


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        (WholeNumber("duration", 1, 16, 5), " 8 ", 8),
        (Switch("audio", True), "Off", False),
        (Choice("resolution", ("2K", "4K"), "2K"), "4K ", "4K"),
        (Ratio("aspect_ratio", (), "auto"), "21:9", "21:9"),
    ],
)
def test_parse_of_what_was_typed_returns_the_value(field, typed, value):
    assert field.parse(typed) == value


@pytest.mark.parametrize("typed", ["8s", "", "5.0", "0x8"])
def test_parse_of_what_is_no_number_is_refused(typed):
    with pytest.raises(InvalidSettingError, match="duration"):
        WholeNumber("duration", 1, 16, 5).parse(typed)


@pytest.mark.parametrize("value", [True, "7", None, 7.5, float("nan"), float("inf"), [7]])
def test_as_whole_number_of_anything_else_is_none(value):
    assert as_whole_number(value) is None


@pytest.mark.parametrize(
    ("part", "options", "shapes", "blamed"),
    [
        ("image-to-video", {}, {}, "image holds 0"),
        ("image-to-video", {}, {"image": [HD, HD]}, "image holds 2"),
        ("image-to-video", {}, {"image": [HD], "end_image": [HD]}, "takes no end_image"),
        ("reference-to-video", {}, {"images": [HD] * 4}, "1 to 3"),
        ("reference-to-video", {}, {"images": [MediumShape(127, 400)]}, "128 x 128"),
        ("image-to-video", {}, {"image": [MediumShape(401, 100)]}, "aspect"),
        ("image-to-video", {}, {"image": [MediumShape(0, 100)]}, "0 x 100"),
        (
            "start-end-to-video",
            {},
            {"image": [HD], "end_image": [MediumShape(720, 1280)]},
            "differ too much",
        ),
        (
            "q3/image-to-video",
            {"resolution": "360p"},
            {"image": [HD], "end_image": [HD]},
            "360p",
        ),
        ("q2/text-to-video", {"bgm": True, "duration": 5}, {}, "4 s"),
        (
            "q2/reference-to-video/pro",
            {},
            {"images": [HD] * 5, "videos": [MediumShape(640, 360, 5.0)]},
            "4 images",
        ),
        ("template-to-video", {"template": "wish_sender"}, {"images": [HD] * 2}, "takes 3"),
        ("template-to-video", {}, {"images": [HD] * 2}, "takes 1 image"),
        ("q2/video-extension/pro", {}, {"video": [MediumShape(640, 360, 3.9)]}, "4 to 55"),
        ("q4/reference-to-video", {}, {"voices": [MediumShape(duration_s=12.5)]}, "3 to 12"),
    ],
)
def test_check_media_outside_the_limits_is_refused(part, options, shapes, blamed):
    endpoint = endpoint_called(part)
    with pytest.raises((InvalidSettingError, InvalidImageError), match=blamed):
        endpoint.check_media(endpoint.check_options(options), shapes)


def test_check_media_of_a_loop_is_fine():
    endpoint = endpoint_called("start-end-to-video")
    endpoint.check_media(endpoint.check_options({}), {"image": [HD], "end_image": [HD]})


@pytest.mark.parametrize(
    ("part", "options", "shapes", "size"),
    [
        ("image-to-video", {}, {"image": [MediumShape(4000, 4000)]}, (720, 720)),
        ("image-to-video", {}, {"image": [MediumShape(768, 1365)]}, (720, 1280)),
        ("q3/text-to-video", {"resolution": "1080p"}, {}, (1920, 1080)),
        ("q3/text-to-video", {"aspect_ratio": "3:4"}, {}, (720, 960)),
        ("q4/reference-to-video", {"resolution": "4K"}, {}, (3840, 2160)),
    ],
)
def test_output_size_follows_resolution_and_aspect(part, options, shapes, size):
    endpoint = endpoint_called(part)
    assert endpoint.output_size(endpoint.check_options(options), shapes) == size


@each_endpoint
def test_every_resolution_has_a_size(endpoint_id):
    for field in ENDPOINTS[endpoint_id].fields:
        if field.name == "resolution":
            assert set(field.values) <= SHORT_SIDES.keys()


def test_max_generation_s_grows_with_length_and_resolution():
    endpoint = endpoint_called("q4/image-to-video")
    short = endpoint.max_generation_s(endpoint.check_options({"duration": 3}))
    long = endpoint.max_generation_s(endpoint.check_options({"duration": 16, "resolution": "4K"}))
    assert 900 < short < 1200 < 8000 < long


def test_every_endpoint_stands_behind_a_model():
    assert {endpoint.id for _, _, endpoint in all_choices()} == ENDPOINTS.keys()


@pytest.mark.parametrize("written", ["Q3 Turbo", "q3-turbo", "q3_turbo", " q3 TURBO "])
def test_find_model_reads_every_way_of_writing(written):
    assert find_model(Intention.IMAGE_TO_VIDEO, written).name == "Q3 Turbo"


@pytest.mark.parametrize(
    ("intention", "model", "roles", "part"),
    [
        (Intention.IMAGE_TO_VIDEO, "Vidu", ["image"], "image-to-video"),
        (Intention.IMAGE_TO_VIDEO, "Vidu", ["image", "end_image"], "start-end-to-video"),
        (Intention.IMAGE_TO_VIDEO, "Q3", ["image", "end_image"], "q3/image-to-video"),
        (Intention.TEXT_TO_VIDEO, "Q4", [], "q4/reference-to-video"),
        (Intention.REFERENCE_TO_VIDEO, "Q4", ["voices"], "q4/reference-to-video"),
        (Intention.IMAGE, "Q2", [], "q2/text-to-image"),
        (Intention.IMAGE, "Q2", ["images"], "q2/reference-to-image"),
        (Intention.IMAGE, "Vidu", ["images"], "reference-to-image"),
    ],
)
def test_find_endpoint_depends_on_the_media(intention, model, roles, part):
    assert find_endpoint(intention, model, roles).id == f"fal-ai/vidu/{part}"


@pytest.mark.parametrize(
    ("intention", "model", "roles", "said"),
    [
        (Intention.IMAGE_TO_VIDEO, "Q4", ["image", "end_image"], r"\(Vidu, Q1, Q2 Turbo, .*Q3\)"),
        (Intention.IMAGE_TO_VIDEO, "Q9", ["image"], "Q2 Turbo"),
        (Intention.IMAGE, "Vidu", [], "images is missing"),
        (Intention.REFERENCE_TO_VIDEO, "Q2 Pro", [], "No reference"),
        (Intention.REFERENCE_TO_VIDEO, "Q1", ["images", "voices"], r"\(Q4\)"),
        (Intention.TEXT_TO_VIDEO, "Q4", ["images"], "Disconnect images"),
    ],
)
def test_find_endpoint_that_takes_no_such_media_names_those_that_do(intention, model, roles, said):
    with pytest.raises(InvalidSettingError, match=said):
        find_endpoint(intention, model, roles)


def test_find_intention_tells_text_from_references():
    q4 = "fal-ai/vidu/q4/reference-to-video"
    assert find_intention(q4, []) is Intention.TEXT_TO_VIDEO
    assert find_intention(q4, ["images"]) is Intention.REFERENCE_TO_VIDEO
    assert find_intention("fal-ai/vidu/gone", []) is None


def test_models_of_one_choice_share_their_options():
    """So that a node shows the same widgets whether an end image is connected or not."""
    for models in MODELS.values():
        for model in models:
            assert len({endpoint.fields for endpoint in model.endpoints}) == 1, model.name
