"""The kinds of fields that an endpoint's input is made of, each with its own check."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from .errors import InvalidImageError, InvalidSettingError

OptionValue = str | int | bool
"""What an option is sent as: JSON text, number or boolean."""

MediumKind = Literal["image", "video", "audio"]


@dataclass(frozen=True)
class Choice:
    """One of a fixed set of texts; `help` says to an artist what it does."""

    name: str
    values: tuple[str, ...]
    default: str
    help: str = ""

    @property
    def range(self) -> str:
        """The values, for a person to read."""
        return ", ".join(self.values)

    def check(self, value: object) -> str:
        """Return the value as it is sent.

        Raises:
            InvalidSettingError: It is none of the choices.
        """
        if not isinstance(value, str) or value not in self.values:
            raise out_of_range(self.name, value, f"Use one of {self.range}.")
        return value

    def parse(self, text: str) -> str:
        """Read a value that was typed; see `check`."""
        return self.check(text.strip())


@dataclass(frozen=True)
class WholeNumber:
    """A whole number from `least` to `most`; `help` says to an artist what it does."""

    name: str
    least: int
    most: int
    default: int
    help: str = ""

    @property
    def range(self) -> str:
        """The limits, for a person to read."""
        return f"{self.least} to {self.most}"

    def check(self, value: object) -> int:
        """Return the value as it is sent; 5.0 and NumPy's 5 are 5.

        Raises:
            InvalidSettingError: It is not a whole number, or outside the limits.
        """
        number = as_whole_number(value)
        if number is None or not self.least <= number <= self.most:
            raise out_of_range(
                self.name, value, f"Use a whole number, {self.least} to {self.most}."
            )
        return number

    def parse(self, text: str) -> int:
        """Read a value that was typed; see `check`."""
        return self.check(int(text) if re.fullmatch(r"\s*[+-]?[0-9]{1,9}\s*", text) else text)


@dataclass(frozen=True)
class Switch:
    """Something that is on or off; `help` says to an artist what it does."""

    name: str
    default: bool
    help: str = ""

    range = "true or false"

    def check(self, value: object) -> bool:
        """Return the value as it is sent.

        Raises:
            InvalidSettingError: It is neither true nor false.
        """
        if value not in (True, False):
            raise out_of_range(self.name, value, "Use true or false.")
        return bool(value)

    def parse(self, text: str) -> bool:
        """Read a value that was typed: true or false, yes or no, on or off, 1 or 0."""
        words = {"true": True, "yes": True, "on": True, "1": True}
        words |= {"false": False, "no": False, "off": False, "0": False}
        return self.check(words.get(text.strip().lower(), text))


@dataclass(frozen=True)
class Ratio:
    """Any width:height, or `auto`; the `suggestions` are what a menu shows.

    `help` says to an artist what it does.
    """

    name: str
    suggestions: tuple[str, ...]
    default: str
    help: str = ""

    range = "auto or W:H"

    def check(self, value: object) -> str:
        """Return the value as it is sent.

        Raises:
            InvalidSettingError: It is neither `auto` nor W:H in whole numbers.
        """
        if not isinstance(value, str) or not re.fullmatch(
            r"auto|[1-9][0-9]{0,3}:[1-9][0-9]{0,3}", value
        ):
            raise out_of_range(self.name, value, "Use auto, or a ratio such as 16:9.")
        return value

    def parse(self, text: str) -> str:
        """Read a value that was typed; see `check`."""
        return self.check(text.strip())


Field = Choice | WholeNumber | Switch | Ratio


@dataclass(frozen=True)
class Text:
    """A prompt of at most `max_length` code points, which may be empty where it is optional."""

    max_length: int
    is_required: bool = True


@dataclass(frozen=True)
class MediumShape:
    """What a rule or a price needs to know of a medium.

    Args:
        width: Pixels; 0 for sound.
        height: Pixels; 0 for sound.
        duration_s: Seconds; 0 for a still.
        size: Bytes of the file as it is uploaded; 0 while it is not encoded.
    """

    width: int = 0
    height: int = 0
    duration_s: float = 0.0
    size: int = 0


@dataclass(frozen=True)
class MediaField:
    """A field that takes the address of one uploaded medium, or a list of them.

    Args:
        name: fal's name of the field.
        role: Our name: the same in nodes, builders, manifests and the shell.
        kind: What it takes.
        is_list: Whether the field is a JSON list.
        least: The fewest media; 0 where the field may be left out.
        most: The most media.
        max_aspect: The widest width / height; its inverse is the narrowest. 0 means no limit.
        min_side: The fewest pixels of width and of height.
        min_s: The shortest video or sound, in seconds.
        max_s: The longest video or sound, in seconds; 0 means no limit.
        max_bytes: The largest file; 0 means no limit.
    """

    name: str
    role: str
    kind: MediumKind = "image"
    is_list: bool = False
    least: int = 1
    most: int = 1
    max_aspect: float = 4.0
    min_side: int = 1
    min_s: float = 0.0
    max_s: float = 0.0
    max_bytes: int = 0

    def check_count(self, count: int) -> None:
        """Raise `InvalidSettingError` unless the field takes `count` media."""
        if self.least <= count <= self.most:
            return
        limits = f"{self.least} to {self.most}" if self.least < self.most else str(self.most)
        raise InvalidSettingError(
            f"{self.role} holds {count} {self.kind}{'' if count == 1 else 's'}.",
            f"This model takes {limits}.",
        )

    def check(self, shape: MediumShape) -> None:
        """Raise unless the field takes such a medium.

        Raises:
            InvalidImageError: Its size or aspect is outside the limits.
            InvalidSettingError: Its length or file is.
        """
        if self.kind != "audio":
            self._check_picture(shape)
        if self.kind != "image":
            self._check_length(shape.duration_s)
        if self.max_bytes and shape.size > self.max_bytes:
            raise InvalidSettingError(
                f"{self.role} holds a file of {shape.size / 1e6:.0f} MB.",
                f"Use one of at most {self.max_bytes / 1e6:.0f} MB.",
            )

    def _check_picture(self, shape: MediumShape) -> None:
        size = f"{self.role} is {shape.width} x {shape.height} pixels"
        if min(shape.width, shape.height) < self.min_side:
            raise InvalidImageError(
                f"{size}.", f"Use at least {self.min_side} x {self.min_side} pixels."
            )
        aspect = max(shape.width, shape.height) / min(shape.width, shape.height)
        if self.max_aspect and aspect > self.max_aspect:
            raise InvalidImageError(
                f"{size}, an aspect ratio Vidu does not take.",
                f"Crop or pad it to between 1:{self.max_aspect:g} and {self.max_aspect:g}:1.",
            )

    def _check_length(self, duration_s: float) -> None:
        if duration_s < self.min_s or (self.max_s and duration_s > self.max_s):
            least, most = f"{self.min_s:g}", f"{self.max_s:g}"
            limit = f"{least} to {most} seconds" if self.max_s else f"{least} seconds or more"
            raise InvalidSettingError(
                f"{self.role} holds a {self.kind} of {duration_s:.2f} s.",
                f"Use one of {limit}.",
            )


def as_whole_number(value: object) -> int | None:
    """Return the whole number that `value` is, whatever its type; None when it is none.

    Other nodes hand on NumPy's integers and floats such as 7.0.
    """
    if isinstance(value, bool | str | bytes | None):
        return None
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == value else None


def out_of_range(name: str, value: object, next_step: str) -> InvalidSettingError:
    """Return the error for a field with a value that it does not take."""
    return InvalidSettingError(f"{name} is {value!r}.", next_step)


def field_names(fields: Collection[Field]) -> str:
    """Return the names of the fields, for a person to read."""
    return ", ".join(field.name for field in fields) or "none"
