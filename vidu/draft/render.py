"""A draft's clip or still, drawn from a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..media.audio import Audio
from ..media.h264 import write_mp4
from ..media.video import DecodeCancelledError, never
from .ken_burns import Move, render_frames, stamped

AREA = 1280 * 720
"""Vidu keeps the area and lets the sides follow the image: 1280x720, 1104x816, 960x960."""

TONE_HZ, TONE_LOUDNESS, TONE_RATE = 220, 0.05, 44100
"""The quiet tone that stands for a clip's sound."""


def render_clip(
    path: Path,
    first_frame: NDArray[np.uint8],
    *,
    seed: int,
    movement_amplitude: str,
    size: tuple[int, int] | None = None,
    fps: Fraction | int = 24,
    frame_count: int = 96,
    last_frame: NDArray[np.uint8] | None = None,
    has_sound: bool = False,
    watermark: str = "DRAFT",
    stop: Callable[[], bool] = never,
) -> None:
    """Write an H.264 mp4 in which a camera moves over the first frame.

    Args:
        path: Where the mp4 is written; what is there is replaced.
        first_frame: uint8 [H, W, 3]; frame 0 shows all of it that fits `size`, undistorted.
        seed: Chooses the direction; the same seed renders the same clip.
        movement_amplitude: auto, small, medium or large; auto moves like medium.
        size: Width and height in pixels; by default as Vidu does, see `clip_size`.
        fps: Frames per second.
        frame_count: How many frames, at least 1.
        last_frame: uint8 [H, W, 3]; the clip fades into it, if there is one.
        has_sound: Whether a quiet tone is heard.
        watermark: Burned into every frame; nothing when empty.
        stop: Asked before each frame; when true, the work ends and leaves half a clip.

    Raises:
        DecodeCancelledError: `stop` said so.
        ViduError: PyAV has no H.264 encoder here.
    """
    height, width = first_frame.shape[:2]
    size = size or clip_size(width, height)
    pictures = render_frames(
        Image.fromarray(first_frame),
        Move.choose(seed, movement_amplitude),
        size,
        frame_count,
        watermark,
        last=None if last_frame is None else Image.fromarray(last_frame),
    )

    def frames() -> Iterator[NDArray[np.uint8]]:
        for picture in pictures:
            if stop():
                raise DecodeCancelledError
            yield np.asarray(picture)

    audio = tone(float(frame_count / fps)) if has_sound else None
    write_mp4(path, frames(), size=size, fps=fps, audio=audio)


def render_still(path: Path, picture: NDArray[np.uint8], size: tuple[int, int]) -> None:
    """Write a PNG of a picture, cropped to a size, with DRAFT burned into it."""
    stamped(Image.fromarray(picture), size, "DRAFT").save(path, "PNG", compress_level=1)


def clip_size(width: int, height: int, area: int = AREA, step: int = 16) -> tuple[int, int]:
    """Return the size Vidu gives a clip: a fixed area in the image's ratio, in steps.

    Args:
        width: Of the image, in any unit.
        height: Of the image, in the same unit.
        area: Pixels of the clip; 720p by default.
        step: What both sides are multiples of.
    """
    return (
        max(16, math.isqrt(area * width // height) // step * step),
        max(16, math.isqrt(area * height // width) // step * step),
    )


def tone(seconds: float) -> Audio:
    """Return a quiet tone in two channels."""
    times = np.arange(max(1, round(seconds * TONE_RATE)), dtype=np.float32)
    wave = TONE_LOUDNESS * np.sin(times * (math.tau * TONE_HZ / TONE_RATE))
    return Audio(np.stack([wave, wave]).astype(np.float32), TONE_RATE)
