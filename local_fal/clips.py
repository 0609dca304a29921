"""The clips and stills that jobs make, at the size, length and sound their input asks for."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidu.draft.render import clip_size, render_clip

from .containers import CHANGES, add_tone

WATERMARK = "LOCAL FAL"
AREAS = {
    "360p": 640 * 360,
    "520p": 924 * 520,
    "540p": 960 * 540,
    "720p": 1280 * 720,
    "1080p": 1920 * 1080,
    "2K": 2560 * 1440,
    "4K": 3840 * 2160,
}
"""Pixels of a frame: Vidu keeps the area, and the sides follow the aspect ratio (fal.md 5.4)."""

FPS, SLOW_FPS = 24, 16


@dataclass(frozen=True)
class ClipSpec:
    """How clips differ from what was asked for, to be made faster.

    Args:
        size: Width and height in pixels of every clip and still; None as asked.
        frame_count: How many frames every clip has; None as asked.
        scale: Factor for the sides of what has no fixed size.
    """

    size: tuple[int, int] | None = None
    frame_count: int | None = None
    scale: float = 1.0

    def size_of(self, resolution: str, ratio: tuple[int, int]) -> tuple[int, int]:
        """Return width and height in pixels.

        Args:
            resolution: A key of AREAS.
            ratio: Width and height, of which only the ratio counts.
        """
        if self.size:
            return self.size
        if resolution == "720p":
            width, height = clip_size(*ratio)
        else:
            step = 8 if resolution == "1080p" else 16
            width = math.isqrt(AREAS[resolution] * ratio[0] // ratio[1]) // step * step
            height = math.isqrt(AREAS[resolution] * ratio[1] // ratio[0]) // step * step
        return _even(width * self.scale), _even(height * self.scale)


def make_clip(
    path: Path,
    first_frame: NDArray[np.uint8],
    *,
    size: tuple[int, int],
    frame_count: int,
    seed: int,
    movement_amplitude: str,
    has_sound: bool,
    faults: Collection[str],
) -> Path:
    """Write a clip made from the image, an H.264 mp4 unless a fault says otherwise.

    Args:
        path: Where to; it must not exist.
        first_frame: uint8 [H, W, 3].
        size: Width and height in pixels.
        frame_count: How many frames, at 24 a second.
        seed: Chooses the movement.
        movement_amplitude: auto, small, medium or large.
        has_sound: Whether there is a sound track, a tone.
        faults: Names in `faults.CLIP` that apply; others are passed over.

    Returns:
        The file; its suffix tells its kind.
    """
    if "still_instead" in faults:
        return make_still(path.with_suffix(".png"), first_frame, size=size)
    if "odd_size" in faults:
        size = (size[0] - 1 + size[0] % 2, size[1] - 1 + size[1] % 2)
    is_slow = "fps_16" in faults
    render_clip(
        path,
        first_frame,
        seed=seed,
        movement_amplitude=movement_amplitude,
        size=size,
        fps=SLOW_FPS if is_slow else FPS,
        # 62 of 96: 3.875 s at 16 frames a second.
        frame_count=max(1, frame_count * 62 // 96) if is_slow else frame_count,
        watermark=WATERMARK,
    )
    if (has_sound or "with_audio" in faults) and "without_audio" not in faults:
        add_tone(path)
    for name, change in CHANGES.items():
        if name in faults:
            path = change(path)
    return path


def make_still(path: Path, image: NDArray[np.uint8], *, size: tuple[int, int]) -> Path:
    """Write a PNG of the image, scaled to the size."""
    Image.fromarray(image).resize(size).save(path)
    return path


def make_card(seed: int, ratio: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture for a request that has none: a gradient that the seed chooses.

    Args:
        seed: Chooses the colors.
        ratio: Width and height, of which only the ratio counts.

    Returns:
        uint8 [H, W, 3].
    """
    width, height = 64 * ratio[0] // max(ratio), 64 * ratio[1] // max(ratio)
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    return np.asarray(Image.fromarray(corners).resize((max(1, width), max(1, height))))


def _even(side: float) -> int:
    return max(16, round(side) // 2 * 2)
