"""Items of fal's list of requests, and what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

URL = "https://v3b.fal.media/files/b/0aac27e0/hzumoERxCN0OZTqbpMb2L_image.png"
TWIN = "https://v3b.fal.media/files/b/0aac27e0/xxxxxxxxxxxxxxxxxxxxx_image.png"
IMAGE = {"prompt": "The tide comes in", "image_url": URL, "seed": 7, "movement_amplitude": "auto"}
TEXT = {"prompt": "The tide comes in", "seed": 7, "duration": 5, "audio": True}


def item(given: Any, request_id: Any = "r-1", **more: Any) -> dict[str, Any]:
    return {"request_id": request_id, "json_input": given, "status_code": 200, **more}


def changed(arguments: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**arguments, **changes}


UNREADABLE = [
    None,
    "",
    {},
    [],
    7,
    "[redacted]",
    '{"prompt": "The tide comes in", "image_',
    {"truncated": True},
    {"prompt": None, "image_url": None, "seed": None},
    {"prompt": "", "image_url": ""},
    {"prompt": "The tide..."},
    {"prompt": "The tide\u2026", "image_url": URL[:40]},
    {"image_url": URL[:40] + "..."},
]

A, B, C = (f"https://v3b.fal.media/files/b/0aac27e0/{letter}.png" for letter in "abc")
REFERENCES = {"prompt": "The tide", "reference_image_urls": [A, B], "seed": 7}
