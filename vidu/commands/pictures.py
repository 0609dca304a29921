"""A clip as pictures: each frame on its own, or an overview of it on one sheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image

from ..clip import decode
from ..still import to_rgb8

SHEET_COLUMNS = 4
SHEET_FRAMES = 16
SHEET_WIDTH = 1600
GAP = 8


def write_frames(clip: Path, suffix: str) -> Path:
    """Write each frame as a picture into a folder beside the clip.

    Args:
        clip: The mp4.
        suffix: png or jpg.

    Returns:
        The folder, named for the clip.
    """
    folder = clip.with_name(f"{clip.stem}_frames")
    folder.mkdir(exist_ok=True)
    options: dict[str, Any] = (
        {"compress_level": 1} if suffix == "png" else {"quality": 95, "subsampling": 0}
    )
    for number, frame in enumerate(decode(clip), start=1):
        picture = Image.fromarray(to_rgb8(frame))
        picture.save(folder / f"frame_{number:05}.{suffix}", **options)
    return folder


def write_contact_sheet(clip: Path) -> Path:
    """Write up to 16 frames, evenly spread over the clip, on one JPEG beside it.

    Returns:
        The picture.
    """
    frames = decode(clip)
    count = min(SHEET_FRAMES, len(frames))
    chosen = [
        frames[round(place * (len(frames) - 1) / max(1, count - 1))] for place in range(count)
    ]
    columns = min(SHEET_COLUMNS, count)
    width = SHEET_WIDTH // columns - GAP
    height = max(1, round(width * frames.shape[1] / frames.shape[2]))
    rows = math.ceil(count / columns)
    sheet = Image.new(
        "RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#181818"
    )
    for place, frame in enumerate(chosen):
        corner = (GAP + place % columns * (width + GAP), GAP + place // columns * (height + GAP))
        sheet.paste(Image.fromarray(to_rgb8(frame)).resize((width, height)), corner)
    path = clip.with_name(f"{clip.stem}_sheet.jpg")
    sheet.save(path, quality=90)
    return path
