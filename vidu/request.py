"""One request, checked once when it is built, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any

from .endpoint import Endpoint, Options, Shapes
from .errors import InvalidPromptError, InvalidSettingError
from .fields import as_whole_number
from .media.medium import Medium, shape_of
from .pricing import Quote
from .prompts import normalize_prompt

SEED_MAX = 2**31 - 1
"""Vidu's own range is 0..2147483647, and 0 means "Vidu chooses" (platform.vidu.com)."""


@dataclass(frozen=True)
class Request:
    """One output to be made: what exists has been checked and may be sent.

    Args:
        endpoint: Which endpoint is asked.
        prompt: See `prompts.normalize_prompt`; kept normalized.
        seed: 0..2147483647; 0 lets Vidu choose.
        options: Values for the endpoint's fields; what is left out takes its default.
        media: The media by role: image, end_image, images, videos, voices, video.

    Raises:
        InvalidPromptError: The prompt is empty, too long or not text.
        InvalidImageError: The size of a picture is outside the endpoint's limits.
        InvalidSettingError: The seed, an option or the number of media is.
    """

    endpoint: Endpoint
    prompt: str = ""
    seed: int = 0
    options: Options = field(default_factory=dict)
    media: Mapping[str, tuple[Medium, ...]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        media = {role: tuple(given) for role, given in self.media.items() if given}
        object.__setattr__(self, "prompt", check_prompt(self.prompt, self.endpoint))
        object.__setattr__(self, "seed", check_seed(self.seed))
        object.__setattr__(self, "options", self.endpoint.check_options(self.options))
        object.__setattr__(self, "media", MappingProxyType(media))
        self.endpoint.check_media(self.options, self.shapes)

    @property
    def shapes(self) -> Shapes:
        """Sizes and lengths of the media, by role."""
        return {role: [shape_of(medium) for medium in given] for role, given in self.media.items()}

    @property
    def quote(self) -> Quote:
        """What it costs, as it is shown."""
        return self.endpoint.quote(self.options, self.shapes)

    @property
    def price(self) -> Decimal:
        """What it costs at most, in US dollars."""
        return self.quote.usd

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits that name the shot: every field, and every medium by its content."""
        content = {
            role: [medium.content_sha256 for medium in given] for role, given in self.media.items()
        }
        return _sha256(self._named_by(content))

    @cached_property
    def likeness_key(self) -> str:
        """64 hex digits of everything but the pixels of the images.

        Requests with the same key ask for the same thing of pictures of the same size.
        """
        content = {
            role: [_without_pixels(medium) for medium in given]
            for role, given in self.media.items()
        }
        return _sha256(self._named_by(content))

    @property
    def likenesses(self) -> tuple[bytes, ...]:
        """A small picture of each image, in the order of the endpoint's fields."""
        roles = [field.role for field in self.endpoint.media if field.kind == "image"]
        return tuple(
            medium.likeness  # type: ignore[attr-defined]  # an EncodedImage, by its kind
            for role in roles
            for medium in self.media.get(role, ())
        )

    def arguments(self, urls: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return the JSON body of the paid POST.

        Args:
            urls: Where the media were uploaded, by role, in the order of `media`.
        """
        arguments: dict[str, Any] = dict(self.options)
        if self.prompt:
            arguments["prompt"] = self.prompt
        if self.seed:
            arguments["seed"] = self.seed
        for media_field in self.endpoint.media:
            given = list(urls.get(media_field.role, ()))
            if len(given) != len(self.media.get(media_field.role, ())):
                raise ValueError(f"{media_field.role}: {len(given)} addresses")
            if given:
                arguments[media_field.name] = given if media_field.is_list else given[0]
        return arguments

    def _named_by(self, content: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "endpoint": self.endpoint.id,
            "media": content,
            "prompt": self.prompt,
            "seed": self.seed,
            "options": dict(self.options),
        }


def check_prompt(prompt: str, endpoint: Endpoint) -> str:
    """Return the prompt as the endpoint is sent it.

    Raises:
        InvalidPromptError: The endpoint does not take it; see `prompts.normalize_prompt`.
    """
    if endpoint.prompt is not None:
        return normalize_prompt(prompt, endpoint.prompt)
    if prompt.strip():
        raise InvalidPromptError(f"{endpoint.id} takes no prompt.", "Remove the prompt.")
    return ""


def check_seed(seed: object) -> int:
    """Return the seed as it is sent; 7.0 and NumPy's 7 are 7.

    Raises:
        InvalidSettingError: It is not a whole number in 0..2147483647.
    """
    number = as_whole_number(seed)
    if number is None or not 0 <= number <= SEED_MAX:
        raise InvalidSettingError(
            f"The seed is {seed!r}.",
            f"Use a whole number from 0 to {SEED_MAX}; 0 lets Vidu choose.",
        )
    return number


def fold_seed(seed: object) -> int:
    """Return a seed of another node's as one that Vidu takes.

    Other nodes draw seeds up to 2^64: those above 2147483647 become `1 + (seed - 1) % 2147483647`.
    The same seed is always folded to the same one, and never to 0.

    Raises:
        InvalidSettingError: It is not a whole number, or negative.
    """
    number = as_whole_number(seed)
    if number is not None and number > SEED_MAX:
        return 1 + (number - 1) % SEED_MAX
    return check_seed(seed)


def _without_pixels(medium: Medium) -> Any:
    if medium.media_type.startswith("image/"):
        return [medium.width, medium.height]
    return medium.content_sha256


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
