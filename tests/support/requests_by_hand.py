"""Requests and media of a few bytes."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from vidu.endpoints import AMPLITUDE, VIDU_IMAGE_TO_VIDEO
from vidu.media.image import EncodedImage
from vidu.request import Request

options = st.fixed_dictionaries({"movement_amplitude": st.sampled_from(AMPLITUDE.values)})


@dataclasses.dataclass(frozen=True)
class Film:
    """A video that was encoded elsewhere."""

    content_sha256: str = "cd" * 32
    duration_s: float = 5.0
    data: bytes = b""
    media_type: str = "video/mp4"
    suffix: str = ".mp4"
    width: int = 640
    height: int = 360
    size: int = 0


def still(width: int = 64, height: int = 64, pixels: str = "ab") -> EncodedImage:
    return EncodedImage(b"", "image/png", width, height, pixels * 32)


def shot(prompt: str = "waves", seed: int = 0, **options: str) -> Request:
    return Request(VIDU_IMAGE_TO_VIDEO, prompt, seed, options, {"image": (still(),)})
