"""The type of an endpoint value: inputs, limits, output, price and longest generation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal

from .errors import InvalidSettingError
from .fields import Field, MediaField, MediumShape, OptionValue, Text, field_names
from .pricing import PriceTable, Quote

Options = Mapping[str, OptionValue]
Shapes = Mapping[str, Sequence[MediumShape]]
"""The media of a request by role."""

Rule = Callable[[Options, Shapes], None]
"""A check across fields; it raises `InvalidSettingError` or `InvalidImageError`."""

NEVER_SENT = ("enable_safety_checker",)
"""Fields of fal's that this pack leaves at fal's default and does not offer."""

SHORT_SIDES: Mapping[str, int] = MappingProxyType(
    {"360p": 360, "520p": 520, "540p": 540, "720p": 720, "1080p": 1080, "2K": 1440, "4K": 2160}
)
"""The short side in pixels that a resolution names; Q4's sizes are nominal (540p came as 528)."""

WIDEST_FULL = 16 / 9
"""Wider pictures keep the pixel count of this aspect; narrower ones keep the short side."""

BASE_GENERATION_S = 900.0
GENERATION_S_PER_SECOND: Mapping[str, float] = MappingProxyType(
    {"1080p": 120.0, "2K": 240.0, "4K": 480.0}
)
OTHER_GENERATION_S_PER_SECOND = 60.0


class Intention(str, Enum):
    """What a person wants to make: one node and one builder for each."""

    IMAGE_TO_VIDEO = "image-to-video"
    TEXT_TO_VIDEO = "text-to-video"
    REFERENCE_TO_VIDEO = "reference-to-video"
    EXTEND_VIDEO = "extend-video"
    TEMPLATE = "template"
    IMAGE = "image"


@dataclass(frozen=True)
class Endpoint:
    """Everything that is particular to one of fal's Vidu endpoints.

    Args:
        id: fal's endpoint id, also the path of the paid POST.
        model: The model's name, as nodes and the library show it.
        price: The list price.
        prompt: The limits of the prompt; None where the endpoint takes none.
        fields: The options, in the order in which a node shows them.
        media: The media fields.
        output: What it makes.
        seconds: How long the output is where there is no option `duration`; 0 for a still.
        resolution: The resolution where there is no option for it.
        rules: Checks across fields.
        always_has_sound: Whether the clip has sound and no option for it.
    """

    id: str
    model: str
    price: PriceTable
    prompt: Text | None = None
    fields: tuple[Field, ...] = ()
    media: tuple[MediaField, ...] = ()
    output: Literal["video", "image"] = "video"
    seconds: int = 0
    resolution: str = "720p"
    rules: tuple[Rule, ...] = ()
    always_has_sound: bool = False

    def takes(self, roles: Collection[str]) -> bool:
        """Return whether a request with media in exactly these roles may be made."""
        required = {field.role for field in self.media if field.least}
        return required <= set(roles) <= {field.role for field in self.media}

    def check_options(self, options: Mapping[str, object]) -> Options:
        """Return every option as it is sent, with the defaults of those that are left out.

        Raises:
            InvalidSettingError: The endpoint has no such option, or not with this value.
        """
        fields = {field.name: field for field in self.fields}
        for name in options:
            if name not in fields:
                raise InvalidSettingError(
                    f"{self.model} ({self.id}) has no option {name!r}.",
                    f"Its options: {field_names(self.fields)}.",
                )
        return MappingProxyType(
            {
                name: field.check(options[name]) if name in options else field.default
                for name, field in fields.items()
            }
        )

    def check_media(self, options: Options, shapes: Shapes) -> None:
        """Raise `InvalidSettingError` or `InvalidImageError` unless the endpoint takes these media.

        Args:
            options: What `check_options` returned.
            shapes: The media by role; a role may be missing.
        """
        roles = [field.role for field in self.media]
        for role in shapes:
            if shapes[role] and role not in roles:
                raise InvalidSettingError(
                    f"{self.model} ({self.id}) takes no {role}.",
                    f"It takes: {', '.join(roles) or 'no media'}.",
                )
        for field in self.media:
            given = shapes.get(field.role, ())
            field.check_count(len(given))
            for shape in given:
                field.check(shape)
        for rule in self.rules:
            rule(options, shapes)

    def output_seconds(self, options: Options) -> int:
        """Return how many seconds are asked for; 0 for a still."""
        return int(options.get("duration", self.seconds))

    def quote(self, options: Options, shapes: Shapes) -> Quote:
        """Return what a request with these checked options and media costs."""
        input_s = sum(shape.duration_s for shape in shapes.get("video", ()))
        return self.price.quote(options, self.output_seconds(options), input_s)

    def has_sound(self, options: Options) -> bool:
        """Return whether the clip will have sound."""
        return self.always_has_sound or bool(options.get("audio") or options.get("bgm"))

    def output_size(self, options: Options, shapes: Shapes) -> tuple[int, int]:
        """Return width and height of the output in pixels, as far as they are known before.

        The aspect is the option's, else that of the first medium, else 16:9. Real clips differ by
        a few lines.
        """
        short = SHORT_SIDES[str(options.get("resolution", self.resolution))]
        aspect = self._aspect(options, shapes)
        wide = max(aspect, 1 / aspect)
        if wide > WIDEST_FULL:
            short = round(short * (WIDEST_FULL / wide) ** 0.5)
        sides = _even(short * wide), _even(short)
        return sides if aspect >= 1 else (sides[1], sides[0])

    def most_pixels(self, options: Options) -> int:
        """Return the most pixels that a frame of the output has: those of 16:9.

        Vidu keeps the number of pixels that a resolution names, whatever the aspect.
        """
        short = SHORT_SIDES[str(options.get("resolution", self.resolution))]
        return round(short * short * WIDEST_FULL)

    def most_seconds(self, options: Options, shapes: Shapes) -> float:
        """Return how many seconds the output has at most.

        That of an extension may hold the video that it goes on from: fal does not say.
        """
        seconds = float(self.output_seconds(options))
        if self.price.charges_input_seconds:
            seconds += sum(shape.duration_s for shape in shapes.get("video", ()))
        return seconds

    def max_generation_s(self, options: Options) -> float:
        """Return how long fal may work on a request: a floor that nobody has measured, in seconds.

        A lost request is never paid for again before. 4 s at 720p usually take 30 to 90 s.
        """
        resolution = str(options.get("resolution", self.resolution))
        per_second = GENERATION_S_PER_SECOND.get(resolution, OTHER_GENERATION_S_PER_SECOND)
        return BASE_GENERATION_S + per_second * self.output_seconds(options)

    def _aspect(self, options: Options, shapes: Shapes) -> float:
        ratio = str(options.get("aspect_ratio", "auto"))
        if ratio != "auto":
            width, height = ratio.split(":")
            return int(width) / int(height)
        for field in self.media:
            for shape in shapes.get(field.role, ()):
                if shape.width and shape.height:
                    return shape.width / shape.height
        return 16 / 9


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)
