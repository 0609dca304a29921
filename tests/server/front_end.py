"""What the editor finds in a file that is dropped on its canvas.

A port of getFromIsobmffFile in ComfyUI's front end 1.49.6, oddities included.
"""

from __future__ import annotations

import json
from pathlib import Path

MOST_READ = 64 << 20


def dropped(path: Path) -> dict[str, dict]:
    """The workflow and the prompt, under these names."""
    data = path.read_bytes()[:MOST_READ]
    user = find(data, 0, len(data), b"udta")
    if not user:
        movie = find(data, 0, len(data), b"moov")
        user = movie and find(data, *movie, b"udta")
    meta = user and find(data, *user, b"meta")
    if not meta:
        return {}
    inside = (meta[0] + 4, meta[1])
    keys, items = find(data, *inside, b"keys"), find(data, *inside, b"ilst")
    return read_items(data, *items, read_keys(data, *keys)) if keys and items else {}


def find(data: bytes, start: int, end: int, kind: bytes) -> tuple[int, int] | None:
    place = start
    while place < end - 8:
        size = number(data, place)
        if size >= 8:
            if data[place + 4 : place + 8] == kind:
                return place + 8, place + size
            if place + size > end:
                return None
            place += size - 1
        place += 1
    return None


def read_keys(data: bytes, start: int, end: int) -> dict[int, str]:
    keys, place = {}, start + 8
    for index in range(1, number(data, start + 4) + 1):
        size = number(data, place)
        if size < 8 or place + size > end:
            break
        keys[index] = data[place + 8 : place + size].decode()
        place += size
    return keys


def read_items(data: bytes, start: int, end: int, keys: dict[int, str]) -> dict[str, dict]:
    found, place = {}, start
    while place < end - 8:
        size = number(data, place)
        if size <= 8 or place + size > end:
            break
        name = keys.get(number(data, place + 4), "").lower()
        box = find(data, place + 8, place + size, b"data")
        if box and name in ("workflow", "prompt"):
            text = data[box[0] + 8 : box[1]]
            found[name] = json.loads(text[text.index(b"{") :])
        place += size
    return found


def number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "big")
