"""One builder of requests for each intention, and the general one behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalog import find_endpoint
from .endpoint import Intention
from .fields import MediumShape, OptionValue
from .media.image import EncodedImage
from .media.image import encode as encode_image
from .media.medium import Medium, shape_of
from .request import Request, check_prompt, check_seed

Picture = NDArray[np.generic] | EncodedImage
"""Pixels, [H, W, C] with 1, 3 or 4 channels, uint8 or float 0..1; or an encoded image."""


def build_request(
    intention: Intention,
    model: str,
    *,
    prompt: str = "",
    seed: int = 0,
    options: Mapping[str, OptionValue] | None = None,
    media: Mapping[str, Sequence[Medium | Picture]] | None = None,
    encode: Callable[[Any], Medium] | None = None,
) -> Request:
    """Build the request for one output.

    Words and sizes are checked before pixels are encoded, which takes up to seconds.

    Args:
        intention: What is made.
        model: A name from `catalog.MODELS`, such as "Q3 Turbo" or "q3-turbo".
        prompt: What should happen.
        seed: 0..2147483647; 0 lets Vidu choose.
        options: Values for the model's options; what is left out takes its default.
        media: Media by role, see `MediaField.role`; pixels are encoded.
        encode: What encodes pixels, once the rest is checked; by default `image.encode`.

    Raises:
        InvalidInputError: The model does not take these inputs; see `Request`.
    """
    given = {role: list(some) for role, some in (media or {}).items() if some}
    endpoint = find_endpoint(intention, model, given)
    check_prompt(prompt, endpoint)
    check_seed(seed)
    checked = endpoint.check_options(options or {})
    endpoint.check_media(
        checked, {role: [_shape(medium) for medium in some] for role, some in given.items()}
    )
    return Request(
        endpoint,
        prompt,
        seed,
        checked,
        {
            role: tuple(_encoded(medium, encode or encode_image) for medium in some)
            for role, some in given.items()
        },
    )


def image_to_video(
    image: Picture,
    prompt: str = "",
    *,
    end_image: Picture | None = None,
    model: str = "Vidu",
    seed: int = 0,
    duration: int | None = None,
    resolution: str | None = None,
    audio: bool | None = None,
    bgm: bool | None = None,
    movement_amplitude: str | None = None,
) -> Request:
    """Build the request for a clip that begins with an image, and may end with another.

    Args:
        image: The first frame, aspect 1:4 to 4:1.
        prompt: What should happen; Q3 and Q4 do without.
        end_image: The last frame; the same as `image` makes a loop.
        model: Vidu, Q1, Q2 Turbo, Q2 Pro, Q3 Turbo, Q3 or Q4.
        seed: 0..2147483647; 0 lets Vidu choose.
        duration: Seconds; None for the model's default, as with each of the following.
        resolution: Such as 1080p.
        audio: Whether the model makes sound.
        bgm: Whether music is added.
        movement_amplitude: auto, small, medium or large.

    Raises:
        InvalidInputError: See `Request`.
    """
    return build_request(
        Intention.IMAGE_TO_VIDEO,
        model,
        prompt=prompt,
        seed=seed,
        options=_given(
            duration=duration,
            resolution=resolution,
            audio=audio,
            bgm=bgm,
            movement_amplitude=movement_amplitude,
        ),
        media={"image": [image], "end_image": [] if end_image is None else [end_image]},
    )


def text_to_video(
    prompt: str,
    *,
    model: str = "Q1",
    seed: int = 0,
    duration: int | None = None,
    resolution: str | None = None,
    aspect_ratio: str | None = None,
    audio: bool | None = None,
    bgm: bool | None = None,
    movement_amplitude: str | None = None,
    style: str | None = None,
) -> Request:
    """Build the request for a clip from words alone.

    Args:
        prompt: What should be seen.
        model: Q1, Q2, Q3 Turbo, Q3 or Q4.
        seed: 0..2147483647; 0 lets Vidu choose.
        duration: Seconds; None for the model's default, as with each of the following.
        resolution: Such as 1080p.
        aspect_ratio: Such as 16:9.
        audio: Whether the model makes sound.
        bgm: Whether music is added.
        movement_amplitude: auto, small, medium or large.
        style: general or anime.

    Raises:
        InvalidInputError: See `Request`.
    """
    return build_request(
        Intention.TEXT_TO_VIDEO,
        model,
        prompt=prompt,
        seed=seed,
        options=_given(
            duration=duration,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            audio=audio,
            bgm=bgm,
            movement_amplitude=movement_amplitude,
            style=style,
        ),
    )


def reference_to_video(
    prompt: str,
    *,
    images: Sequence[Picture] = (),
    videos: Sequence[Medium] = (),
    voices: Sequence[Medium] = (),
    model: str = "Vidu",
    seed: int = 0,
    duration: int | None = None,
    resolution: str | None = None,
    aspect_ratio: str | None = None,
    audio: bool | None = None,
    bgm: bool | None = None,
    movement_amplitude: str | None = None,
) -> Request:
    """Build the request for a clip with the subjects of images, videos or voices in it.

    Args:
        prompt: What should happen.
        images: The subjects; how many depends on the model.
        videos: Q2 Pro: videos to edit, or to take the movement from.
        voices: Q4: voices, each 3 to 12 s long.
        model: Vidu, Q1, Q2 Pro, Q3 Mix or Q4.
        seed: 0..2147483647; 0 lets Vidu choose.
        duration: Seconds; None for the model's default, as with each of the following.
        resolution: Such as 1080p.
        aspect_ratio: Such as 16:9.
        audio: Whether the model makes sound.
        bgm: Whether music is added.
        movement_amplitude: auto, small, medium or large.

    Raises:
        InvalidInputError: See `Request`.
    """
    return build_request(
        Intention.REFERENCE_TO_VIDEO,
        model,
        prompt=prompt,
        seed=seed,
        options=_given(
            duration=duration,
            resolution=resolution,
            aspect_ratio=aspect_ratio,
            audio=audio,
            bgm=bgm,
            movement_amplitude=movement_amplitude,
        ),
        media={"images": images, "videos": videos, "voices": voices},
    )


def extend_video(
    video: Medium,
    prompt: str = "",
    *,
    model: str = "Q2 Pro",
    seed: int = 0,
    duration: int | None = None,
    resolution: str | None = None,
) -> Request:
    """Build the request for a clip that goes on where a video ends.

    Args:
        video: 4 to 55 s long.
        prompt: What should happen.
        model: Q2 Pro.
        seed: 0..2147483647; 0 lets Vidu choose.
        duration: Seconds to add, 2 to 7; None for 4.
        resolution: 720p or 1080p; None for 720p.

    Raises:
        InvalidInputError: See `Request`.
    """
    return build_request(
        Intention.EXTEND_VIDEO,
        model,
        prompt=prompt,
        seed=seed,
        options=_given(duration=duration, resolution=resolution),
        media={"video": [video]},
    )


def template_to_video(
    images: Sequence[Picture],
    template: str = "hug",
    *,
    seed: int = 0,
    aspect_ratio: str | None = None,
) -> Request:
    """Build the request for a clip that one of fal's templates makes of a picture.

    Args:
        images: One; dynasty_dress takes 1 or 2, wish_sender 3.
        template: A name from `templates.TEMPLATES`.
        seed: 0..2147483647; 0 lets Vidu choose.
        aspect_ratio: 16:9 or 9:16; None for 16:9.

    Raises:
        InvalidInputError: See `Request`.
    """
    return build_request(
        Intention.TEMPLATE,
        "Vidu",
        seed=seed,
        options=_given(template=template, aspect_ratio=aspect_ratio),
        media={"images": images},
    )


def image(
    prompt: str,
    *,
    images: Sequence[Picture] = (),
    model: str = "Q2",
    seed: int = 0,
    aspect_ratio: str | None = None,
) -> Request:
    """Build the request for a still image.

    Args:
        prompt: What should be seen.
        images: Subjects to keep; the model Vidu needs at least one.
        model: Q2 or Vidu.
        seed: 0..2147483647; 0 lets Vidu choose.
        aspect_ratio: 16:9, 9:16 or 1:1; None for 16:9.

    Raises:
        InvalidInputError: See `Request`.
    """
    return build_request(
        Intention.IMAGE,
        model,
        prompt=prompt,
        seed=seed,
        options=_given(aspect_ratio=aspect_ratio),
        media={"images": images},
    )


def _given(**options: Any) -> dict[str, OptionValue]:
    return {name: value for name, value in options.items() if value is not None}


def _shape(medium: Medium | Picture) -> MediumShape:
    if not isinstance(medium, np.ndarray):
        return shape_of(medium)
    if medium.ndim not in (2, 3):
        return shape_of(encode_image(medium))  # which says what is wrong with it
    return MediumShape(medium.shape[1], medium.shape[0])


def _encoded(medium: Medium | Picture, encode: Callable[[Any], Medium]) -> Medium:
    return encode(medium) if isinstance(medium, np.ndarray) else medium
