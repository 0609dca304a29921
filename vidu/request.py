"""What may be asked: endpoints as values, and one frozen request, checked and fingerprinted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import InvalidImageError, InvalidPromptError, InvalidSettingError, TooManyClipsError
from .media.image import EncodedImage, encode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED_MAX = 2**31 - 1
"""Vidu's own range is 0..2147483647, and 0 means "Vidu chooses" (platform.vidu.com)."""


@dataclass(frozen=True)
class Price:
    """What one clip costs in US dollars, and since when and from where this is known."""

    usd: Decimal
    date: str
    source: str


@dataclass(frozen=True)
class Endpoint:
    """All that is particular to one endpoint of fal's.

    Args:
        id: fal's endpoint id, also the path of the paid POST.
        image_fields: The input fields that take an image's URL, in the order of a request's stills.
        prompt_limit: The longest prompt, in code points.
        choices: Fields with a fixed set of values; the first value is the default.
        aspect_limit: The widest width / height; its inverse is the narrowest.
        price: What one clip costs.
    """

    id: str
    image_fields: tuple[str, ...]
    prompt_limit: int
    choices: Mapping[str, tuple[str, ...]]
    aspect_limit: float
    price: Price


IMAGE_TO_VIDEO = Endpoint(
    id="fal-ai/vidu/image-to-video",
    image_fields=("image_url",),
    prompt_limit=1500,
    choices=MappingProxyType({"movement_amplitude": ("auto", "small", "medium", "large")}),
    aspect_limit=4.0,
    price=Price(Decimal("0.20"), "2026-06-11", "fal.ai/models/fal-ai/vidu/image-to-video/llms.txt"),
)

ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {endpoint.id: endpoint for endpoint in (IMAGE_TO_VIDEO,)}
)
"""Every endpoint this pack knows, by its id."""

MOVEMENT_AMPLITUDES = IMAGE_TO_VIDEO.choices["movement_amplitude"]


@dataclass(frozen=True)
class Request:
    """One clip to be made: checked when it is built, so that what exists may be sent.

    Args:
        stills: One first frame for each of the endpoint's image fields.
        prompt: 1 to `endpoint.prompt_limit` code points after trimming; saved trimmed.
        seed: 0..2147483647; 0 lets Vidu choose and is then not sent.
        options: Values for the endpoint's choices; what is left out takes its default.
        endpoint: Which endpoint is asked.

    Raises:
        InvalidPromptError: The prompt is empty, too long or not text.
        InvalidImageError: A still is missing, or its aspect ratio is outside the endpoint's limits.
        InvalidSettingError: The seed or an option is outside its range.
    """

    stills: tuple[EncodedImage, ...] = field(repr=False)
    prompt: str
    seed: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    endpoint: Endpoint = IMAGE_TO_VIDEO

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", checked_prompt(self.prompt, self.endpoint))
        object.__setattr__(self, "options", checked_options(self.options, self.endpoint))
        check_seed(self.seed)
        if len(self.stills) != len(self.endpoint.image_fields):
            raise InvalidImageError(
                f"{self.endpoint.id} takes {len(self.endpoint.image_fields)} image(s), "
                f"{len(self.stills)} given.",
                "Give one image for each of its image inputs.",
            )
        for still in self.stills:
            check_aspect(still.width, still.height, self.endpoint)

    @property
    def price(self) -> Decimal:
        """US dollars."""
        return self.endpoint.price.usd

    @property
    def fingerprint(self) -> str:
        """64 hex digits naming the shot: endpoint, pixels and prompt as sent, seed and options."""
        shot = {
            "endpoint": self.endpoint.id,
            "pixels": [still.pixels_sha256 for still in self.stills],
            "prompt": self.prompt,
            "seed": self.seed,
            "options": dict(sorted(self.options.items())),
        }
        return hashlib.sha256(json.dumps(shot, sort_keys=True).encode()).hexdigest()

    def arguments(self, image_urls: Sequence[str]) -> dict[str, Any]:
        """Return the JSON body of the paid POST.

        Args:
            image_urls: Where each still was uploaded, in the order of `stills`.
        """
        arguments: dict[str, Any] = {
            "prompt": self.prompt,
            **dict(zip(self.endpoint.image_fields, image_urls, strict=True)),
            **self.options,
        }
        if self.seed:
            arguments["seed"] = self.seed
        return arguments


def image_to_video(
    pixels: NDArray[np.generic], prompt: str, *, seed: int = 0, movement_amplitude: str = "auto"
) -> Request:
    """Build the request for one image-to-video clip.

    Args:
        pixels: The first frame, [H, W, C] with 1, 3 or 4 channels, uint8 or float 0..1.
        prompt: What should happen, 1 to 1500 code points.
        seed: 0..2147483647; 0 lets Vidu choose.
        movement_amplitude: auto, small, medium or large.

    Raises:
        InvalidInputError: See `Request`.
    """
    checked_prompt(prompt, IMAGE_TO_VIDEO)
    check_seed(seed)
    options = checked_options({"movement_amplitude": movement_amplitude}, IMAGE_TO_VIDEO)
    if len(pixels.shape) >= 2:
        check_aspect(pixels.shape[1], pixels.shape[0], IMAGE_TO_VIDEO)
    return Request((encode(pixels),), prompt, seed, options)


def checked_prompt(prompt: str, endpoint: Endpoint) -> str:
    """Return the prompt as it is sent, trimmed.

    Raises:
        InvalidPromptError: It is empty, longer than the endpoint takes, or not valid text.
    """
    trimmed = prompt.strip()
    if not trimmed:
        raise InvalidPromptError(
            "The prompt is empty.", f"Write 1 to {endpoint.prompt_limit} characters."
        )
    if len(trimmed) > endpoint.prompt_limit:
        raise InvalidPromptError(
            f"The prompt is {len(trimmed)} characters long, "
            f"{len(trimmed) - endpoint.prompt_limit} more than Vidu takes.",
            f"Shorten it to {endpoint.prompt_limit} characters or fewer.",
        )
    try:
        trimmed.encode()
    except UnicodeEncodeError as error:
        raise InvalidPromptError(
            f"Character {error.start + 1} of the prompt is half of a character pair.",
            "Type the prompt again instead of pasting it.",
        ) from None
    return trimmed


def check_seed(seed: object) -> None:
    """Raise `InvalidSettingError` unless the seed is in 0..2147483647."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= SEED_MAX:
        raise InvalidSettingError(
            f"The seed is {seed!r}.",
            f"Use a whole number from 0 to {SEED_MAX}; 0 lets Vidu choose.",
        )


def check_aspect(width: int, height: int, endpoint: Endpoint) -> None:
    """Raise `InvalidImageError` when width / height is outside the endpoint's limits."""
    if not width or not height:
        raise InvalidImageError(
            f"The image is {width} x {height} pixels.", "Use an image with pixels."
        )
    if max(width, height) > endpoint.aspect_limit * min(width, height):
        raise InvalidImageError(
            f"The image is {width} x {height} pixels, an aspect ratio Vidu does not take.",
            "Crop or pad it to between 1:4 and 4:1.",
        )


def check_clip_count(count: int, limit: int, endpoint: Endpoint) -> None:
    """Raise `TooManyClipsError` when a batch would make more clips than the user allowed."""
    if count > limit:
        raise TooManyClipsError(
            f"The image input holds {count} images: {count} clips for "
            f"${count * endpoint.price.usd:.2f}, and max_clips is {limit}.",
            "Pick the frames you want, or raise max_clips (an advanced input of this node).",
        )


def checked_options(options: Mapping[str, str], endpoint: Endpoint) -> Mapping[str, str]:
    """Return the options with the defaults of those that are left out.

    Raises:
        InvalidSettingError: The endpoint has no such option, or not with this value.
    """
    for name, value in options.items():
        if name not in endpoint.choices:
            raise InvalidSettingError(
                f"{endpoint.id} has no option {name!r}.", f"It has {', '.join(endpoint.choices)}."
            )
        if value not in endpoint.choices[name]:
            raise InvalidSettingError(
                f"{name} is {value!r}.", f"Use one of {', '.join(endpoint.choices[name])}."
            )
    defaults = {name: values[0] for name, values in endpoint.choices.items()}
    return MappingProxyType({**defaults, **options})
