"""Inputs as lists, paired into shots."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from textwrap import shorten
from typing import Any, TypeVar

from ..vidu.errors import InvalidSettingError

Value = TypeVar("Value", bound=Hashable)


class PromptWithLine(str):
    """A prompt that knows its line in the shot list it comes from; to the graph it is a text."""

    line: int | None = None


def prompt_with_line(prompt: str, line: int) -> PromptWithLine:
    """Return a prompt with its line, from 1."""
    listed = PromptWithLine(prompt)
    listed.line = line
    return listed


def shot_labels(prompts: Sequence[str]) -> list[str]:
    """Return what each shot is called: its place, its line if it has one, how its prompt begins."""
    return [
        f"{number} of {len(prompts)}{_line(prompt)}{_beginning(prompt)}"
        for number, prompt in enumerate(prompts, 1)
    ]


def single_value(name: str, values: Sequence[Value]) -> Value:
    """Return the value of an input that all shots share.

    Raises:
        InvalidSettingError: There are several.
    """
    if len(set(values)) != 1:
        raise InvalidSettingError(
            f"{name} must be a single value (got {len(values)}).", f"Connect a single {name}."
        )
    return values[0]


def pair_inputs(**inputs: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the inputs of each shot; a list of one value is the same for every shot.

    Two images and two prompts are two shots. ComfyUI by itself repeats the last value of any
    shorter list; here each shot is money, so lists that do not pair are refused.

    Raises:
        InvalidSettingError: The lists do not pair, or one is empty.
    """
    count = max(len(values) for values in inputs.values())
    longest = next(name for name, values in inputs.items() if len(values) == count)
    for name, values in inputs.items():
        if not values:
            raise InvalidSettingError(f"{name} holds nothing.", f"Connect a {name} that does.")
        if len(values) not in (1, count):
            raise InvalidSettingError(
                f"{longest} holds {count} values and {name} {len(values)}: they do not pair.",
                "Give each shot one of both, or all shots the same.",
            )
    return [
        {name: values[index if len(values) > 1 else 0] for name, values in inputs.items()}
        for index in range(count)
    ]


def _line(prompt: str) -> str:
    line = prompt.line if isinstance(prompt, PromptWithLine) else None
    return f", line {line}" if line else ""


def _beginning(prompt: str) -> str:
    return f' ("{shorten(str(prompt), 40)}")' if prompt else ""
