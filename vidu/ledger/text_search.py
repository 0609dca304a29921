"""The text search of the library: prompts, models, seeds and what the cards show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .rows import search_text

SECONDS = re.compile(r"(\d{1,4}) ?s", re.IGNORECASE)
SIZE = re.compile(r"(\d{1,5}) ?[x\u00d7] ?(\d{1,5})", re.IGNORECASE)

Condition = tuple[str, Sequence[object]]
"""A condition of SQL and the values of its question marks."""


def find_by_text(text: str, endpoints: Sequence[str] = ()) -> Condition:
    """Return the condition that a row meets when a text finds it.

    Args:
        text: A part of the prompt or of the file's path, whatever the case; or all of the request
            id, of a seed (asked for or drawn), of an option's value such as 1080p or 16:9, of the
            length such as 8 s, or of the size such as 1280x720.
        endpoints: Endpoints that the text finds as well, by the names they are shown with.
    """
    found = [*_by_words(text), *_by_seed(text), *_by_option(text), *_by_file(text)]
    if endpoints:
        found.append((f"endpoint IN ({marks(endpoints)})", endpoints))
    values = [value for _, given in found for value in given]
    return f"({' OR '.join(condition for condition, _ in found)})", values


def marks(values: Sequence[object]) -> str:
    """Return a question mark for each value."""
    return ", ".join("?" for _ in values)


def _by_words(text: str) -> Iterator[Condition]:
    pattern = f"%{_escaped(search_text(text))}%"
    yield "search_text LIKE ? ESCAPE '!'", [pattern]
    yield "lower(path) LIKE ? ESCAPE '!'", [pattern]
    yield "request_id = ?", [text]


def _by_seed(text: str) -> Iterator[Condition]:
    if text.isascii() and text.isdecimal():
        yield "CAST(seed AS TEXT) = ?", [text]
        yield "CAST(output_seed AS TEXT) = ?", [text]  # drawn by Vidu
        yield from _in_json("arguments", "seed", text)  # drawn here


def _by_option(text: str) -> Iterator[Condition]:
    yield "lower(options) LIKE ? ESCAPE '!'", [f'%: "{_escaped(text.lower())}"%']


def _by_file(text: str) -> Iterator[Condition]:
    seconds, size = SECONDS.fullmatch(text), SIZE.fullmatch(text)
    if seconds:  # as it is rounded on a card; of a clip that is not there yet, as it was asked for
        length = int(seconds[1])
        yield "(duration_s >= ? AND duration_s < ?)", [length - 0.5, length + 0.5]
        yield from _in_json("options", "duration", str(length))
    if size:
        yield "(width = ? AND height = ?)", [int(size[1]), int(size[2])]


def _in_json(column: str, name: str, number: str) -> Iterator[Condition]:
    """Yield the conditions that a number has this name in an object of JSON."""
    for end in (",", "}"):
        yield f"{column} LIKE ?", [f'%"{name}": {number}{end}%']


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
