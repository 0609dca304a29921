"""Limits of the models that stand in fal's texts and not in its schemas (vidu_family.md 1).

A rule raises JobFailedError for an input that the schema takes and the model refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .responses import JobFailedError, model_error

Input = Mapping[str, Any]
"""A validated input, with its defaults filled in."""

Rule = Callable[[Input], None]

TEMPLATE_IMAGES = {"dynasty_dress": (1, 2), "wish_sender": (3, 3)}
"""How many images a template takes, where it is not one."""


def count(field: str, least: int, most: int) -> Rule:
    """Return the rule that a list has `least` to `most` items."""

    def rule(given: Input) -> None:
        items = given[field]
        if len(items) < least:
            raise JobFailedError(model_error("sequence_too_short", (field,), items, least))
        if len(items) > most:
            raise JobFailedError(model_error("sequence_too_long", (field,), items, most))

    return rule


def images_beside_videos(given: Input) -> None:
    """Demand at most 7 images, and at most 4 beside videos."""
    count("reference_image_urls", 0, 4 if given["reference_video_urls"] else 7)(given)


def images_of_template(given: Input) -> None:
    """Demand as many images as the template takes."""
    count("input_image_urls", *TEMPLATE_IMAGES.get(given["template"], (1, 1)))(given)


def music_in_four_seconds(given: Input) -> None:
    """Demand a duration of 4 s for background music."""
    if given["bgm"] and given["duration"] != 4:
        raise JobFailedError(model_error("feature_not_supported", ("bgm",), given["bgm"]))


def end_image_above_360p(given: Input) -> None:
    """Demand more than 360p for a clip with an end image."""
    if given["end_image_url"] and given["resolution"] == "360p":
        raise JobFailedError(
            model_error("feature_not_supported", ("resolution",), given["resolution"])
        )


def free_aspect_ratio(given: Input) -> None:
    """Demand "auto" or "W:H"."""
    width, _, height = given["aspect_ratio"].partition(":")
    if given["aspect_ratio"] != "auto" and not (_is_positive(width) and _is_positive(height)):
        raise JobFailedError(
            model_error("feature_not_supported", ("aspect_ratio",), given["aspect_ratio"])
        )


def _is_positive(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) > 0
