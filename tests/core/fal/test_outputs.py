"""What a result says of an output: a clip or a still, and what fal bills for it."""

from __future__ import annotations

import pytest

from vidu.fal.responses import json_body
from vidu.fal.results import billable_units, parse_output
from vidu.models import Output

from ...support.fal_replies import reply


def test_parse_output_returns_the_clip_with_its_billable_units():
    body = {"video": {"url": "https://x/1.mp4", "file_size": 1234, "content_type": "video/mp4"}}
    response = reply(200, body, x_fal_billable_units="1")
    assert parse_output(json_body(response), billable_units(response)) == Output(
        "https://x/1.mp4", 1234, 1.0
    )


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ({"image": {"url": "https://x/1.png"}}, Output("https://x/1.png", kind="image")),
        ({"images": [{"url": "https://x/1.png"}]}, Output("https://x/1.png", kind="image")),
        ({"images": [None, {"url": "u"}, {"url": "v"}]}, Output("u", kind="image")),
        ({"image": {"url": "u", "file_size": 9}}, Output("u", 9, kind="image")),
        ({"video": {"url": "u"}, "cover_image": {"url": "c"}, "seed": 7}, Output("u", seed=7)),
        ({"video": {"url": "u"}, "image": {"url": "i"}}, Output("u")),
    ],
)
def test_parse_output_is_a_clip_or_a_still(body, output):
    assert parse_output(body) == output


@pytest.mark.parametrize("seed", [None, 0, -1, True, "7", 7.5, {}, 2**63])
def test_parse_output_impossible_seed_is_ignored(seed):
    assert parse_output({"video": {"url": "u"}, "seed": seed}) == Output("u")


@pytest.mark.parametrize("number", [1, 2**63 - 1])
def test_parse_output_least_and_largest_seed_and_size_are_kept(number):
    body = {"video": {"url": "u", "file_size": number}, "seed": number}
    assert parse_output(body) == Output("u", number, seed=number)


@pytest.mark.parametrize("images", [None, [], {}, "u", [None], [{"url": 7}]])
def test_parse_output_without_a_still_is_none(images):
    assert parse_output({"images": images, "image": images}) is None


@pytest.mark.parametrize("size", [None, 0, -1, True, "1234", 12.5, {}, 2**63])
def test_parse_output_impossible_size_is_ignored(size):
    assert parse_output({"video": {"url": "u", "file_size": size}}) == Output("u")


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"video": None}, {"video": "u"}, {"video": {}}]
    + [{"video": {"url": url}} for url in (None, 7, "", ["u"], "u\n", "u\0", "u\ud83d")],
)
def test_parse_output_without_a_video_is_none(body):
    assert parse_output(body) is None


@pytest.mark.parametrize(
    ("value", "units"),
    [
        *(("1", 1.0), ("0.5", 0.5), ("0", 0.0), ("999999999999", 999_999_999_999.0)),
        *((value, None) for value in ("", "x", "nan", "inf", "1e999", "1e15", "1e12", "-1")),
    ],
)
def test_billable_units_of_any_header_is_a_number_or_none(value, units):
    assert billable_units(reply(200, x_fal_billable_units=value)) == units
    assert billable_units(reply(200)) is None
