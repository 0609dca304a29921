"""A small request for each of fal's 23 Vidu endpoints."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vidu.endpoints import ENDPOINTS
from vidu.fields import MediaField
from vidu.media.image import encode
from vidu.media.medium import Medium
from vidu.request import Request

from .media import image_pixels, video_medium, voice_medium

PROMPT = "The tide comes in"


def least_request(
    endpoint_id: str, *, seed: int = 1, decoder: int = 0, has_all_media: bool = False
) -> Request:
    """Build a request with one medium in each field that needs one.

    Args:
        endpoint_id: A key of ENDPOINTS.
        seed: 0 lets Vidu choose.
        decoder: Which decoder reads its images; see `media.image_pixels`.
        has_all_media: Whether a field that may be left out has one as well.
    """
    endpoint = ENDPOINTS[endpoint_id]
    counts = {one: max(one.least, has_all_media) for one in endpoint.media}
    media = {
        one.role: tuple(_medium(one, index, decoder) for index in range(count))
        for one, count in counts.items()
        if count
    }
    return Request(endpoint, PROMPT if endpoint.prompt else "", seed, {}, media)


def _medium(media_field: MediaField, index: int, decoder: int) -> Medium:
    if media_field.kind == "image":
        side = -(-media_field.min_side // 48)
        pixels = np.kron(image_pixels(decoder=decoder), np.ones((side, side, 1), np.float32))
        return encode(np.clip(pixels + index / 20, 0, 1))
    return _file(media_field.kind)


@lru_cache
def _file(kind: str) -> Medium:
    return video_medium() if kind == "video" else voice_medium()
