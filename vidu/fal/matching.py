"""Whether an item of fal's listing is the request that was sent.

A wrong "no" pays twice, so that whatever cannot be read is unclear, never different. What is unique
decides: the URL of an upload, anywhere in the item; without one the seed, which is drawn here.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import httpx

DEEPEST = 8
MISSING = object()


class Match(Enum):
    """How an item compares with the arguments of a request."""

    SAME = "same"
    LIKELY = "likely"
    """An upload of the request is in it, and nothing in it speaks against."""

    UNCLEAR = "unclear"
    DIFFERENT = "different"


def compare(item: Mapping[str, Any], arguments: Mapping[str, Any]) -> Match:
    """Compare an item of the listing with the body of a paid POST.

    fal may fill in defaults, so that what was sent must be there, and no more.

    Args:
        item: The item; its `json_input` may be whole, nested, cut, text or missing.
        arguments: What was sent.
    """
    given = item.get("json_input")
    urls = {name: found for name, value in arguments.items() if (found := _urls(value))}
    plain = {name: value for name, value in arguments.items() if name not in urls}
    matches = {name: _compare_value(_find(given, name), value) for name, value in plain.items()}
    if urls:
        text = json.dumps(item, ensure_ascii=False, default=str).replace("\\", "")
        if any(url in text for found in urls.values() for url in found):
            return _with_upload(matches, plain)
        if any(_is_other_upload(_find(given, name), found) for name, found in urls.items()):
            return Match.DIFFERENT
    if Match.DIFFERENT in matches.values():
        return Match.DIFFERENT
    if urls or matches.get("seed") is not Match.SAME or matches.get("prompt") is not Match.SAME:
        return Match.UNCLEAR
    return Match.SAME


def has_upload(arguments: Mapping[str, Any]) -> bool:
    """Return whether the body of a POST names an upload, which is unique."""
    return any(_urls(value) for value in arguments.values())


def _with_upload(matches: Mapping[str, Match], plain: Mapping[str, Any]) -> Match:
    if all(match is Match.SAME for match in matches.values()):
        return Match.SAME
    different = [name for name, match in matches.items() if match is Match.DIFFERENT]
    # Shots may share an upload. A number that differs is another shot; a text may be rewritten.
    if any(not isinstance(plain[name], str) for name in different):
        return Match.DIFFERENT
    return Match.UNCLEAR if different else Match.LIKELY


def _compare_value(listed: object, sent: object) -> Match:
    if listed is MISSING or listed is None:
        return Match.UNCLEAR
    if isinstance(sent, str):
        return _compare_text(listed, sent)
    if isinstance(listed, (str, int, float)) and isinstance(sent, (int, float)):
        try:
            number = _number(listed)
        except ValueError:
            return Match.UNCLEAR
        return Match.SAME if number == float(sent) else Match.DIFFERENT
    return Match.SAME if listed == sent else Match.UNCLEAR


def _compare_text(listed: object, sent: str) -> Match:
    if not isinstance(listed, str):
        return Match.UNCLEAR
    ours, theirs = _plain(sent), _plain(listed)
    if ours == theirs:
        return Match.SAME
    cut = theirs.rstrip(".\u2026 ")
    return Match.UNCLEAR if ours.startswith(cut) else Match.DIFFERENT


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _number(value: str | int | float) -> float:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return float(value.lower() == "true")
    return float(value)


def _urls(value: object) -> list[str]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [each for each in values if isinstance(each, str) and each.startswith("https://")]


def _is_other_upload(listed: object, ours: list[str]) -> bool:
    """Return whether `listed` names whole uploads, on the host of ours, and none of them is ours.

    A URL of another host may be fal's own copy of ours, so it does not tell.
    """
    found = _urls(listed)
    if not found or (isinstance(listed, list) and len(found) != len(listed)):
        return False
    hosts = {_host(url) for url in ours}
    if any(_host(url) not in hosts for url in found):
        return False
    return not any(mine.startswith(url.rstrip(".\u2026")) for url in found for mine in ours)


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""


def _find(node: object, name: str, depth: int = 0) -> object:
    """Return the first value of this name in objects, lists and JSON texts, else `MISSING`."""
    if depth > DEEPEST:
        return MISSING
    if isinstance(node, str) and node.lstrip().startswith(("{", "[")):
        try:
            node = json.loads(node)
        except ValueError:
            return MISSING
    if isinstance(node, dict) and name in node:
        return node[name]
    found = (_find(child, name, depth + 1) for child in _children(node))
    return next((value for value in found if value is not MISSING), MISSING)


def _children(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node
