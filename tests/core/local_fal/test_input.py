"""What the runner of local_fal says of an input."""

from __future__ import annotations

import httpx
import pytest

from ...support.local_fal_jobs import ENDPOINT, QUEUE, data_uri, finished, picture, result_of


def detail_of(client: httpx.Client, **given) -> dict:
    response = result_of(client, **given)
    assert response.status_code == 422
    (detail,) = response.json()["detail"]
    return detail


# What the runner says of the input.


def test_empty_input_is_accepted_and_its_result_is_422(fal, client):
    response = client.post(f"{QUEUE}/{ENDPOINT}", json={})
    assert response.status_code == 200
    assert finished(client, response.json())["error"] == "Invalid status code: 422"
    result = client.get(response.json()["response_url"])
    assert result.status_code == 422
    assert result.headers["x-fal-billable-units"] == "0"
    missing = {"type": "missing", "msg": "Field required", "input": {}}
    assert result.json() == {
        "detail": [
            missing | {"loc": ["body", "prompt"]},
            missing | {"loc": ["body", "image_url"]},
        ]
    }


def test_prompt_over_1500_characters_returns_string_too_long(fal, client):
    assert detail_of(client, prompt="x" * 1501) == {
        "type": "string_too_long",
        "loc": ["body", "prompt"],
        "msg": "String should have at most 1500 characters",
        "input": "x" * 1501,
        "ctx": {"max_length": 1500},
    }


def test_unknown_movement_amplitude_returns_literal_error(fal, client):
    choice = "'auto', 'small', 'medium' or 'large'"
    assert detail_of(client, movement_amplitude="huge") == {
        "type": "literal_error",
        "loc": ["body", "movement_amplitude"],
        "msg": f"Input should be {choice}",
        "input": "huge",
        "ctx": {"expected": choice},
    }


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"seed": "abc"}, "int_parsing"),
        ({"seed": "5"}, "int_type"),
        ({"seed": 1.5}, "int_from_float"),
        ({"image_url": None}, "string_type"),
        ({"image_url": "https://example.com/a.png"}, "file_download_error"),
        ({"image_url": "https://v3b.fal.media/files/b/0/none.png"}, "file_download_error"),
        ({"image_url": data_uri(b"not an image")}, "image_load_error"),
        ({"image_url": data_uri(picture()[:60])}, "image_load_error"),
        ({"image_url": data_uri(picture("GIF"))}, "unsupported_image_format"),
        ({"image_url": data_uri(picture(size=(401, 100)))}, "image_aspect_ratio_error"),
        ({"image_url": data_uri(picture(size=(100, 401)))}, "image_aspect_ratio_error"),
    ],
)
def test_invalid_input_returns_its_error_type(fal, client, given, kind):
    assert detail_of(client, **given)["type"] == kind


@pytest.mark.parametrize(
    "given",
    [
        {"seed": None},
        {"seed": -1},
        {"prompt": ""},
        {"prompt": "\N{WATER WAVE}" * 1500},
        {"duration": 8, "aspect_ratio": "1:1"},
        {"image_url": data_uri(picture(size=(400, 100)))},
        {"image_url": data_uri(picture("WEBP"))},
        {"image_url": data_uri(picture("JPEG"))},
    ],
)
def test_unusual_valid_input_succeeds(fal, client, given):
    assert result_of(client, **given).status_code == 200
