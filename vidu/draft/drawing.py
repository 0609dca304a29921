"""The look of a draft: its picture, size, length and sound."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..endpoint import SHORT_SIDES, Endpoint
from ..media.image import to_rgb8
from ..media.medium import Medium, shape_of
from ..media.video import decode_last_frame
from .card import render_card
from .render import clip_size, render_clip, render_still

FPS = 24


def draw(
    path: Path,
    endpoint: Endpoint,
    arguments: Mapping[str, Any],
    uploaded: Mapping[str, Medium],
    stop: Callable[[], bool],
) -> None:
    """Write the clip or the still that stands for a request's output.

    It begins with the request's first image, with the last frame of its first video, or else with
    a card that shows the prompt. It fades into the end image where there is one.

    Args:
        path: Where it is written.
        endpoint: What was asked for it.
        arguments: The JSON body of the request.
        uploaded: The media by the addresses in `arguments`.
        stop: Asked between frames; when true, the work ends and leaves half a clip.

    Raises:
        DecodeCancelledError: `stop` said so.
        ViduError: PyAV has no H.264 encoder here.
    """
    media = _media_by_role(endpoint, arguments, uploaded)
    options = {field.name: arguments.get(field.name, field.default) for field in endpoint.fields}
    seed = int(arguments.get("seed", 0))
    size = _size(endpoint, options, media)
    picture = _first_picture(media)
    if picture is None:
        picture = render_card(str(arguments.get("prompt", endpoint.model)), size, seed)
    if endpoint.output == "image":
        render_still(path, picture, size)
        return
    end = media.get("end_image", ())
    render_clip(
        path,
        picture,
        seed=seed,
        movement_amplitude=str(options.get("movement_amplitude", "auto")),
        size=size,
        fps=FPS,
        frame_count=endpoint.output_seconds(options) * FPS,
        last_frame=_pixels(end[0]) if end else None,
        has_sound=endpoint.has_sound(options),
        stop=stop,
    )


def _media_by_role(
    endpoint: Endpoint, arguments: Mapping[str, Any], uploaded: Mapping[str, Medium]
) -> dict[str, list[Medium]]:
    media: dict[str, list[Medium]] = {}
    for field in endpoint.media:
        urls = arguments.get(field.name) or []
        for url in [urls] if isinstance(urls, str) else urls:
            media.setdefault(field.role, []).append(uploaded[url])
    return media


def _size(
    endpoint: Endpoint, options: Mapping[str, Any], media: Mapping[str, Sequence[Medium]]
) -> tuple[int, int]:
    shapes = {role: [shape_of(medium) for medium in given] for role, given in media.items()}
    short = SHORT_SIDES[str(options.get("resolution", endpoint.resolution))]
    step = 16 if short <= 720 else 8  # 1080 is not a multiple of 16
    return clip_size(*endpoint.output_size(options, shapes), short * short * 16 // 9, step)


def _first_picture(media: Mapping[str, Sequence[Medium]]) -> NDArray[np.uint8] | None:
    given = [medium for role, each in media.items() if role != "end_image" for medium in each]
    videos = [medium for medium in given if medium.media_type.startswith("video/")]
    images = [medium for medium in given if medium.media_type.startswith("image/")]
    if images:
        return _pixels(images[0])
    return _last_frame(videos[0]) if videos else None


def _pixels(image: Medium) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(image.data)) as opened:
        return np.asarray(opened.convert("RGB"))


def _last_frame(video: Medium) -> NDArray[np.uint8]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        path.write_bytes(video.data)
        (frame,) = decode_last_frame(path)
    return to_rgb8(frame)
