"""The frames of a clip as image files, or as an overview on one sheet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import ClipTooLargeError, SaveError
from ..media.image import to_rgb8
from ..media.probe import probe
from ..media.video import decode

OVERVIEW_COLUMNS = 4
OVERVIEW_FRAMES = 16
OVERVIEW_WIDTH = 1600
GAP = 8
STILL_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def export_frames(clip: Path, *, frames: str | None, overview: bool) -> None:
    """Write what is wanted of a clip beside it.

    Args:
        clip: The clip; of a still, which is a picture itself, nothing is written.
        frames: png or jpg, for each frame in a folder named for the clip; None for none.
        overview: Whether to write up to 16 frames on one JPEG.

    Raises:
        SaveError: They could not be written.
        CorruptClipError: The clip does not decode whole.
        ClipTooLargeError: Its frames do not fit into memory.
    """
    if clip.suffix.lower() in STILL_SUFFIXES:
        return
    try:
        if frames:
            _write_frames(clip, frames)
        if overview:
            _write_overview(clip)
    except OSError as error:
        raise SaveError(
            f"The pictures of {clip} could not be written ({error.strerror})."
        ) from error
    except ClipTooLargeError as error:
        raise ClipTooLargeError(
            f"The pictures of {clip} could not be made. {error.message}",
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


def _write_overview(clip: Path) -> None:
    frames = decode(clip, every_nth=math.ceil(probe(clip).frame_count / OVERVIEW_FRAMES))
    columns = min(OVERVIEW_COLUMNS, len(frames))
    width = OVERVIEW_WIDTH // columns - GAP
    height = max(1, round(width * frames.shape[1] / frames.shape[2]))
    rows = math.ceil(len(frames) / columns)
    sheet = Image.new(
        "RGB", (columns * (width + GAP) + GAP, rows * (height + GAP) + GAP), "#181818"
    )
    for place, frame in enumerate(frames):
        corner = (GAP + place % columns * (width + GAP), GAP + place // columns * (height + GAP))
        sheet.paste(Image.fromarray(to_rgb8(frame)).resize((width, height)), corner)
    sheet.save(clip.with_name(f"{clip.stem}_overview.jpg"), quality=90)
