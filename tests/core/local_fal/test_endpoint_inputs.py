"""What local_fal's endpoints refuse, and which field they blame."""

from __future__ import annotations

import pytest

from local_fal.catalog import ENDPOINTS

from ...support.endpoint_inputs import APP, IMAGES, LEAST, data_uri, picture, video, voice


@pytest.mark.parametrize("endpoint", LEAST)
def test_endpoint_without_a_required_field_returns_missing(run, endpoint):
    required = [
        name
        for name, field in ENDPOINTS[f"{APP}/{endpoint}"].schema.model_fields.items()
        if field.is_required()
    ]
    for name in required:
        (error,) = run(endpoint, **{name: ...}).json()["detail"]
        assert (error["type"], error["loc"]) == ("missing", ["body", name])
    assert required


@pytest.mark.parametrize(
    ("endpoint", "changes", "place", "kind"),
    [
        ("q3/text-to-video", {"duration": "5"}, ["duration"], "int_type"),
        ("q3/text-to-video", {"duration": 17}, ["duration"], "less_than_equal"),
        ("q3/text-to-video", {"duration": 0}, ["duration"], "greater_than_equal"),
        ("q2/text-to-video", {"duration": "4"}, ["duration"], "literal_error"),
        ("q2/text-to-video", {"duration": 9}, ["duration"], "literal_error"),
        ("q2/text-to-video", {"resolution": "540p"}, ["resolution"], "literal_error"),
        ("q2/text-to-video", {"prompt": "x" * 3001}, ["prompt"], "string_too_long"),
        ("q2/text-to-video", {"bgm": True, "duration": 5}, ["bgm"], "feature_not_supported"),
        ("q3/text-to-video", {"audio": "loud"}, ["audio"], "bool_parsing"),
        ("q4/image-to-video", {"duration": 2}, ["duration"], "greater_than_equal"),
        ("q4/image-to-video", {"resolution": "4k"}, ["resolution"], "literal_error"),
        (
            "q3/image-to-video",
            {"end_image_url": IMAGES[0], "resolution": "360p"},
            ["resolution"],
            "feature_not_supported",
        ),
        (
            "reference-to-video",
            {"reference_image_urls": IMAGES * 2},
            ["reference_image_urls"],
            "sequence_too_long",
        ),
        (
            "q3/reference-to-video/mix",
            {"reference_image_urls": []},
            ["reference_image_urls"],
            "sequence_too_short",
        ),
        (
            "q4/reference-to-video",
            {"reference_image_urls": IMAGES * 7},
            ["reference_image_urls"],
            "too_long",
        ),
        (
            "q2/reference-to-video/pro",
            {"reference_image_urls": IMAGES * 3, "reference_video_urls": [video(1)]},
            ["reference_image_urls"],
            "sequence_too_long",
        ),
        (
            "q2/reference-to-video/pro",
            {"aspect_ratio": "wide"},
            ["aspect_ratio"],
            "feature_not_supported",
        ),
        ("template-to-video", {"template": "shop_frame"}, ["template"], "literal_error"),
        (
            "template-to-video",
            {"template": "wish_sender"},
            ["input_image_urls"],
            "sequence_too_short",
        ),
        (
            "q1/reference-to-video",
            {"reference_image_urls": [IMAGES[0], data_uri(b"no", "image/png")]},
            ["reference_image_urls", 1],
            "image_load_error",
        ),
        (
            "start-end-to-video",
            {"end_image_url": picture((100, 401))},
            ["end_image_url"],
            "image_aspect_ratio_error",
        ),
        (
            "q2/video-extension/pro",
            {"video_url": picture()},
            ["video_url"],
            "unsupported_video_format",
        ),
        (
            "q4/reference-to-video",
            {"reference_audio_urls": [voice(4), voice(1)]},
            ["reference_audio_urls", 1],
            "audio_duration_too_short",
        ),
        (
            "q4/reference-to-video",
            {"reference_audio_urls": [voice(13)]},
            ["reference_audio_urls", 0],
            "audio_duration_too_long",
        ),
        (
            "q4/reference-to-video",
            {"reference_audio_urls": [picture()]},
            ["reference_audio_urls", 0],
            "unsupported_audio_format",
        ),
    ],
)
def test_endpoint_invalid_input_returns_422_at_its_place(fal, run, endpoint, changes, place, kind):
    response = run(endpoint, **changes)
    assert response.status_code == 422
    (error,) = response.json()["detail"]
    assert (error["type"], error["loc"]) == (kind, ["body", *place])
    assert response.headers["x-fal-billable-units"] == "0"
    assert fal.ledger()["billed_usd"] == 0


@pytest.mark.parametrize("fault", ["first_medium_refused", "last_medium_refused"])
def test_medium_refused_blames_one_of_several(fal, run, fault):
    fal.set_faults(f"{fault}:1")
    (error,) = run("q1/start-end-to-video").json()["detail"]
    field = "start_image_url" if fault == "first_medium_refused" else "end_image_url"
    assert error["loc"] == ["body", field]


def test_image_error_without_an_image_blames_the_whole_input(fal, run):
    fal.set_faults("image_too_small:1")
    (error,) = run("q1/text-to-video").json()["detail"]
    assert error["loc"] == ["body"]
