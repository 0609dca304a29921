"""A clip as pictures: each frame on its own, or an overview of it on one sheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image

from ..clip import decode, probe
from ..errors import ClipTooLarge, KeepFailed
from ..still import to_rgb8

SHEET_COLUMNS = 4
SHEET_FRAMES = 16
SHEET_WIDTH = 1600
GAP = 8


def write_pictures(clip: Path, *, frames: str | None, contact_sheet: bool) -> None:
    """Write what is wanted of a clip beside it.

    Args:
        clip: The mp4.
        frames: png or jpg, for each frame in a folder named for the clip; None for none.
        contact_sheet: Whether to write up to 16 frames on one JPEG.

    Raises:
        KeepFailed: They could not be written.
        CorruptClip: The clip does not decode whole.
        ClipTooLarge: Its frames do not fit into memory.
    """
    try:
        if frames:
            _write_frames(clip, frames)
        if contact_sheet:
            _write_contact_sheet(clip)
    except OSError as error:
        raise KeepFailed(
            f"The pictures of {clip} could not be written ({error.strerror})."
        ) from error
    except ClipTooLarge as error:
        raise ClipTooLarge(
            f"The pictures of {clip} could not be made. {error.happened}",
            "Close other programs, or leave out --frames, then run again, free.",
        ) from error


def _write_frames(clip: Path, suffix: str) -> None:
    folder = clip.with_name(f"{clip.stem}_frames")
    folder.mkdir(exist_ok=True)
    options: dict[str, Any] = (
        {"compress_level": 1} if suffix == "png" else {"quality": 95, "subsampling": 0}
    )
    for number, frame in enumerate(decode(clip), start=1):
        picture = Image.fromarray(to_rgb8(frame))
        picture.save(folder / f"frame_{number:05}.{suffix}", **options)


def _write_contact_sheet(clip: Path) -> None:
    frames = decode(clip, every_nth=math.ceil(probe(clip).frame_count / SHEET_FRAMES))
    columns = min(SHEET_COLUMNS, len(frames))
    width = SHEET_WIDTH // columns - GAP
    height = max(1, round(width * frames.shape[1] / frames.shape[2]))
    rows = math.ceil(len(frames) / columns)
    sheet = Image.new(
        "RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#181818"
    )
    for place, frame in enumerate(frames):
        corner = (GAP + place % columns * (width + GAP), GAP + place // columns * (height + GAP))
        sheet.paste(Image.fromarray(to_rgb8(frame)).resize((width, height)), corner)
    sheet.save(clip.with_name(f"{clip.stem}_sheet.jpg"), quality=90)
