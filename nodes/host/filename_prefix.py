"""The rules in a filename prefix: dates and other nodes' widgets, as the editor fills them in.

The editor does it before it sends a prompt. A prefix that came over a link or through the API still
has its rules.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ...vidu.errors import InvalidSettingError

RULE = re.compile(r"%([^%]+)%")
DATE = "date:"
DATE_PARTS = re.compile("yyyy|yy|dd?|MM?|hh?|mm?|ss?")
WIDGET = re.compile(r"(\S|\S[^.]*\S)\.(\S|\S.*\S)")
"""A node's name or title, and a widget's name; not the text between two percentages."""

NOT_IN_NAMES = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "year": "tm_year",
        "month": "tm_mon",
        "day": "tm_mday",
        "hour": "tm_hour",
        "minute": "tm_min",
        "second": "tm_sec",
    }
)
"""What the host itself fills in beside the size of an image: `%year%` and so on, two digits."""

LETTERS: Mapping[str, str] = MappingProxyType(
    {"y": "year", "M": "month", "d": "day", "h": "hour", "m": "minute", "s": "second"}
)


def fill_in_prefix(prefix: str, prompt: Mapping[str, Any], now: time.struct_time) -> str:
    """Return the prefix with every date and widget in place of its rule.

    `%width%` and `%height%` stay: the size is known when the clip is.

    Args:
        prefix: Such as `film/%date:yyyy-MM-dd%/%KSampler.seed%`.
        prompt: The graph in API format.
        now: The local time.

    Raises:
        InvalidSettingError: A rule names a node or a widget that is not there, or one whose value
            comes over a link.
    """

    def fill(found: re.Match[str]) -> str:
        rule = found[1]
        if rule in FIELDS:
            return f"{getattr(now, FIELDS[rule]):02}"
        if rule.startswith(DATE):
            return DATE_PARTS.sub(lambda part: _date_part(part[0], now), rule.removeprefix(DATE))
        named = WIDGET.fullmatch(rule)
        return _widget_value(rule, named[1], named[2], prompt) if named else found[0]

    return RULE.sub(fill, prefix)


def _date_part(form: str, now: time.struct_time) -> str:
    text = f"{getattr(now, FIELDS[LETTERS[form[0]]]):0{len(form)}}"
    return text[2:] if form == "yy" else text


def _widget_value(rule: str, name: str, widget: str, prompt: Mapping[str, Any]) -> str:
    nodes = list(prompt.values())
    by_class = [node for node in nodes if node.get("class_type") == name]
    by_title = [node for node in nodes if node.get("_meta", {}).get("title") == name]
    inputs = next((node.get("inputs", {}) for node in (*by_class, *by_title)), None)
    if inputs is None:
        raise _refusal(rule, f"the graph has no node {name}")
    if widget not in inputs:
        raise _refusal(rule, f"{name} has no widget {widget}")
    value = inputs[widget]
    if isinstance(value, (list, dict)):
        raise _refusal(rule, f"{widget} of {name} is not a single value: it is linked")
    return NOT_IN_NAMES.sub("_", _as_text(value))


def _as_text(value: object) -> str:
    """Return a widget's value as the editor, which runs JavaScript, writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _refusal(rule: str, why: str) -> InvalidSettingError:
    return InvalidSettingError(
        f"%{rule}% in filename_prefix cannot be filled in: {why}.",
        "Correct it or take it out, then run again.",
    )
