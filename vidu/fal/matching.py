"""The comparison of a listed request with the one that was sent.

A wrong "no" pays twice, so that whatever cannot be read is unclear, never different. What is unique
decides: the URLs of the uploads, all of them, because shots may share some; without any the seed,
which is drawn here.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import httpx

LEFT_OUT = ("prompt", "seed")
"""What a shot need not have; no other option is left out of a POST."""

DEEPEST = 8
MISSING = object()
NOTHING = (MISSING, None, "", "0", 0)
"""What stands for a prompt or a seed that was left out."""


class Match(Enum):
    """How an item compares with the arguments of a request."""

    SAME = "same"
    LIKELY = "likely"
    """The uploads of the request are in it, and nothing in it speaks against."""

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
        return _compare_with_uploads(item, urls, plain, matches)
    different = [name for name, match in matches.items() if match is Match.DIFFERENT]
    if different == ["prompt"] and matches.get("seed") is Match.SAME:
        return Match.UNCLEAR  # a text may have been rewritten
    if different:
        return Match.DIFFERENT
    if matches.get("seed") is not Match.SAME or matches.get("prompt") is not Match.SAME:
        return Match.UNCLEAR
    return Match.SAME


def has_upload(arguments: Mapping[str, Any]) -> bool:
    """Return whether the body of a POST names an upload, which is unique."""
    return any(_urls(value) for value in arguments.values())


def _compare_with_uploads(
    item: Mapping[str, Any],
    urls: Mapping[str, list[str]],
    plain: Mapping[str, Any],
    matches: Mapping[str, Match],
) -> Match:
    text = json.dumps(item, ensure_ascii=False, default=str).replace("\\", "")
    ours = [url for sent in urls.values() for url in sent]
    uploads = _compare_uploads(item.get("json_input"), urls, ours, text)
    different = [name for name, match in matches.items() if match is Match.DIFFERENT]
    # A number that differs is another shot.
    if uploads is Match.DIFFERENT or any(not isinstance(plain[name], str) for name in different):
        return Match.DIFFERENT
    if different:  # a text may have been rewritten, but not one without any of our uploads
        return Match.UNCLEAR if any(url in text for url in ours) else Match.DIFFERENT
    if _is_other_take(item.get("json_input"), plain, matches):
        return Match.UNCLEAR
    if uploads is Match.SAME and any(match is not Match.SAME for match in matches.values()):
        return Match.LIKELY
    return uploads


def _is_other_take(given: object, plain: Mapping[str, Any], matches: Mapping[str, Match]) -> bool:
    """Return whether only one of the two has a seed or a prompt, as two takes of one picture."""
    listed = {name for name in LEFT_OUT if _find(given, name) not in NOTHING}
    if any(name not in plain for name in listed):
        return True
    # What the item lacks may have been cut off, unless the item has the rest of what was sent.
    is_missing = any(name in plain and name not in listed for name in LEFT_OUT)
    if "prompt" in listed:
        return is_missing and matches["prompt"] is Match.SAME
    options = [match for name, match in matches.items() if name not in LEFT_OUT]
    return is_missing and bool(options) and all(match is Match.SAME for match in options)


def _compare_uploads(
    given: object, urls: Mapping[str, list[str]], ours: list[str], text: str
) -> Match:
    """Compare all uploads by field and in order, because shots may share some of them."""
    fields = [_compare_field(_find(given, name), sent) for name, sent in urls.items()]
    if Match.DIFFERENT in fields:
        return Match.DIFFERENT
    if _has_other_upload(given, ours):
        return Match.UNCLEAR
    if all(match is Match.SAME for match in fields):
        return Match.SAME
    # Outside its field, one upload is unique. The order of several cannot be read.
    return Match.LIKELY if len(ours) == 1 and ours[0] in text else Match.UNCLEAR


def _compare_field(listed: object, sent: list[str]) -> Match:
    """Compare what a field has with the URLs that were sent in it.

    A URL of another host may be fal's own copy of ours, and a list may be cut at its end.
    """
    found = _urls(listed)
    if not found or (isinstance(listed, list) and len(found) != len(listed)):
        return Match.UNCLEAR
    hosts = {_host(url) for url in sent}
    if any(_host(url) not in hosts for url in found):
        return Match.UNCLEAR
    matches = [_compare_url(*pair) for pair in zip(found, sent, strict=False)]
    if Match.DIFFERENT in matches or len(found) > len(sent):
        return Match.DIFFERENT
    if Match.UNCLEAR in matches or len(found) < len(sent):
        return Match.UNCLEAR
    return Match.SAME


def _compare_url(listed: str, sent: str) -> Match:
    if listed == sent or listed.startswith(f"{sent}?"):  # fal may sign it
        return Match.SAME
    return Match.UNCLEAR if sent.startswith(listed.rstrip(".\u2026")) else Match.DIFFERENT


def _has_other_upload(given: object, ours: list[str]) -> bool:
    """Return whether an address in `given` is on the host of ours, and is none of ours."""
    hosts = {_host(url) for url in ours}
    return any(
        _host(url) in hosts and all(_compare_url(url, mine) is Match.DIFFERENT for mine in ours)
        for url in _all_urls(given)
    )


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


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""


def _find(node: object, name: str, depth: int = 0) -> object:
    """Return the first value of this name in objects, lists and JSON texts, else `MISSING`."""
    if depth > DEEPEST:
        return MISSING
    node = _parsed(node)
    if isinstance(node, dict) and name in node:
        return node[name]
    found = (_find(child, name, depth + 1) for child in _children(node))
    return next((value for value in found if value is not MISSING), MISSING)


def _all_urls(node: object, depth: int = 0) -> Iterator[str]:
    """Yield each address in objects, lists and JSON texts."""
    if depth > DEEPEST:
        return
    node = _parsed(node)
    if isinstance(node, str):
        yield from _urls(node)
    for child in _children(node):
        yield from _all_urls(child, depth + 1)


def _parsed(node: object) -> object:
    """Return what a JSON text says, and anything else as it is."""
    if not isinstance(node, str) or not node.lstrip().startswith(("{", "[")):
        return node
    try:
        return json.loads(node)
    except (ValueError, RecursionError):
        return node


def _children(node: object) -> Iterator[object]:
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node
