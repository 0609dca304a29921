"""Shots and request handles for a ledger that several machines share."""

from __future__ import annotations

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.media.image import EncodedImage
from vidu.models import RequestHandle
from vidu.request import Request


def shot(number: object = 0) -> Request:
    image = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)
    return Request(VIDU_IMAGE_TO_VIDEO, f"shot {number}", media={"image": (image,)})


def handle(name: object) -> RequestHandle:
    return RequestHandle(f"r-{name}", "https://q/s", "https://q/r", "https://q/c")
