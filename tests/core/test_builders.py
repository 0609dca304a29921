"""Requests built from pixels, clips and files."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from vidu import builders
from vidu.errors import (
    InvalidImageError,
)
from vidu.request import Request

from ..support.requests_by_hand import Film


@pytest.mark.parametrize("shape", [(0, 0, 3), (8,), (1, 2, 3, 4), (4, 4, 2)])
def test_image_to_video_of_another_shape_is_refused(shape):
    with pytest.raises(InvalidImageError):
        builders.image_to_video(np.zeros(shape, np.uint8), "waves")


PICTURE = np.zeros((256, 256, 3), np.uint8)


def test_image_to_video_encodes_pixels():
    request = builders.image_to_video(
        np.zeros((32, 64, 3), np.uint8), " waves ", seed=7, movement_amplitude="large"
    )
    assert (request.prompt, request.seed) == ("waves", 7)
    assert request.options == {"movement_amplitude": "large"}
    assert [(each.width, each.height) for each in request.media["image"]] == [(64, 32)]
    assert request.price == Decimal("0.20")


@pytest.mark.parametrize(
    ("request_", "sent"),
    [
        (
            builders.image_to_video(PICTURE, "waves", end_image=PICTURE),
            {"start_image_url": "image0", "end_image_url": "end_image0"},
        ),
        (
            builders.image_to_video(PICTURE, "waves", model="q3", duration=8, audio=False),
            {"image_url": "image0", "duration": 8, "audio": False, "resolution": "720p"},
        ),
        (
            builders.text_to_video("waves", model="q4", duration=3),
            {"duration": 3, "resolution": "720p", "aspect_ratio": "16:9", "audio": False},
        ),
        (
            builders.reference_to_video("waves", images=[PICTURE, PICTURE], model="Q1", bgm=True),
            {"reference_image_urls": ["images0", "images1"], "bgm": True, "aspect_ratio": "16:9"},
        ),
        (
            builders.reference_to_video("waves", videos=[Film()], model="Q2 Pro"),
            {"reference_video_urls": ["videos0"], "bgm": False},
        ),
        (builders.extend_video(Film(), duration=6), {"video_url": "video0", "duration": 6}),
        (
            builders.template_to_video([PICTURE], "kiss", aspect_ratio="9:16"),
            {"input_image_urls": ["images0"], "template": "kiss", "aspect_ratio": "9:16"},
        ),
        (builders.image("a lamp"), {"aspect_ratio": "16:9"}),
        (builders.image("a lamp", images=[PICTURE]), {"reference_image_urls": ["images0"]}),
    ],
    ids=lambda value: value.endpoint.id if isinstance(value, Request) else "",
)
def test_builders_send_what_was_given(request_, sent):
    urls = {
        role: [f"{role}{index}" for index in range(len(given))]
        for role, given in request_.media.items()
    }
    arguments = request_.arguments(urls)
    assert {name: arguments[name] for name in sent} == sent
    known = {field.name for field in (*request_.endpoint.fields, *request_.endpoint.media)}
    assert arguments.keys() <= known | {"prompt", "seed"}
