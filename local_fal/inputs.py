"""A job's input: validation, and the media that it names."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from .catalog import Endpoint
from .responses import CannedResponse, JobFailedError, Place, model_error
from .rules import Input

MOST_BYTES = 50 * 1024 * 1024
SHORTEST_VOICE_S, LONGEST_VOICE_S = 3, 12
VIDEO_CONTAINERS = {"mp4", "mov", "webm"}
VOICE_TOLERANCE_S = 0.1
"""MP3 frames and their padding make a file a little longer than its sound."""


@dataclass(frozen=True)
class Media:
    """What the media of an input show.

    Args:
        images: uint8 [H, W, 3] each, in the order of the schema.
        last_frame: The last picture of the first video, uint8 [H, W, 3].
        video_s: The length of the first video in seconds.
        sha256: The digest of each file, by field.
    """

    images: list[NDArray[np.uint8]]
    last_frame: NDArray[np.uint8] | None
    video_s: float
    sha256: dict[str, list[str]]


def validate(endpoint: Endpoint, given: Any) -> Input:
    """Return the input with its defaults.

    Raises:
        JobFailedError: The schema or a rule refuses it.
    """
    try:
        checked = endpoint.schema.model_validate(given).model_dump()
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
        body = [{**error, "loc": ["body", *error["loc"]]} for error in errors]
        headers = {"x-fal-billable-units": "0", "x-fal-retryable": "false"}
        raise JobFailedError(CannedResponse(422, {"detail": body}, headers)) from None
    for rule in endpoint.rules:
        rule(checked)
    return checked


def media_places(given: Input, kind: str = "") -> list[tuple[Place, str]]:
    """Return the place and the URL of each medium, in the order of the schema.

    Args:
        given: A validated input.
        kind: "image", "video" or "audio"; "" for all.
    """
    found: list[tuple[Place, str]] = []
    for name, value in given.items():
        if not name.endswith(("_url", "_urls")) or kind not in ("", _kind_of(name)):
            continue
        if isinstance(value, str):
            found.append(((name,), value))
        else:
            found += [((name, index), url) for index, url in enumerate(value or ())]
    return found


def load_media(given: Input, fetch: Callable[[str], bytes | None]) -> Media:
    """Fetch and decode every medium of an input.

    Args:
        given: The validated input.
        fetch: Returns the bytes at an address of the CDN, or None.

    Raises:
        JobFailedError: One cannot be fetched or used; the error names its place.
    """
    images: list[NDArray[np.uint8]] = []
    last_frame, video_s = None, 0.0
    sha256: dict[str, list[str]] = {}
    for place, url in media_places(given):
        data = _fetch(place, url, fetch)
        sha256.setdefault(str(place[0]), []).append(hashlib.sha256(data).hexdigest())
        kind = _kind_of(str(place[0]))
        if kind == "image":
            images.append(_load_image(place, url, data))
        elif kind == "audio":
            _check_voice(place, url, data)
        elif last_frame is None:
            last_frame, video_s = _load_video(place, url, data)
    return Media(images, last_frame, video_s, sha256)


def _kind_of(field: str) -> str:
    return next((kind for kind in ("video", "audio") if kind in field), "image")


def _fetch(place: Place, url: str, fetch: Callable[[str], bytes | None]) -> bytes:
    data = _decode_data_uri(url) if url.startswith("data:") else fetch(url)
    if data is None:
        raise JobFailedError(model_error("file_download_error", place, url))
    if len(data) > MOST_BYTES:
        raise JobFailedError(model_error("file_too_large", place, url))
    return data


def _decode_data_uri(uri: str) -> bytes | None:
    head, _, text = uri.partition(",")
    if not head.endswith(";base64"):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _load_image(place: Place, url: str, data: bytes) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(data))
        if image.format not in ("PNG", "JPEG", "WEBP"):
            raise JobFailedError(model_error("unsupported_image_format", place, url))
        pixels = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError):
        raise JobFailedError(model_error("image_load_error", place, url)) from None
    if not 1 / 4 <= image.width / image.height <= 4:
        raise JobFailedError(model_error("image_aspect_ratio_error", place, url))
    return pixels


def _load_video(place: Place, url: str, data: bytes) -> tuple[NDArray[np.uint8], float]:
    last, seconds = None, 0.0
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not VIDEO_CONTAINERS & set(container.format.name.split(",")):
                raise JobFailedError(model_error("unsupported_video_format", place, url))
            seconds = (container.duration or 0) / av.time_base
            for frame in container.decode(container.streams.video[0]):
                last = frame
    except (av.FFmpegError, IndexError):
        raise JobFailedError(model_error("unsupported_video_format", place, url)) from None
    if last is None:
        raise JobFailedError(model_error("unsupported_video_format", place, url))
    return np.asarray(last.to_ndarray(format="rgb24"), np.uint8), seconds


def _check_voice(place: Place, url: str, data: bytes) -> None:
    try:
        with av.open(io.BytesIO(data), "r", format="mp3") as container:
            samples = sum(frame.samples for frame in container.decode(audio=0))
            seconds = samples / container.streams.audio[0].rate
    except (av.FFmpegError, IndexError):
        raise JobFailedError(model_error("unsupported_audio_format", place, url)) from None
    if seconds < SHORTEST_VOICE_S - VOICE_TOLERANCE_S:
        raise JobFailedError(model_error("audio_duration_too_short", place, url))
    if seconds > LONGEST_VOICE_S + VOICE_TOLERANCE_S:
        raise JobFailedError(model_error("audio_duration_too_long", place, url))
