"""Options and media outside an endpoint's limits."""

from __future__ import annotations

import pytest

from vidu.errors import InvalidImageError, InvalidSettingError
from vidu.fields import Choice, MediumShape, Ratio, Switch, WholeNumber, as_whole_number

from ..support.endpoint_facts import HD, endpoint_called


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
