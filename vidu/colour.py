"""A decoded frame into RGB, exactly: by the stream's own matrix and range, in floats throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame

LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601, 625 lines
    6: (0.299, 0.114),  # BT.601, 525 lines
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),
}
"""What red and blue add to luma, by matrix number (ITU-T H.273, table 4)."""

HD_LINES = 720
"""Players take an untagged stream for BT.709 from this height up, and for BT.601 below it."""

FULL_RANGE = 2
"""The tag AVCOL_RANGE_JPEG; without it luma is 16..235 and chroma 16..240, of 8 bits."""

PLANAR = {
    f"{family}{depth}": bits
    for family in ("yuv420p", "yuv422p", "yuv444p", "yuvj420p", "yuvj422p", "yuvj444p", "gray")
    for depth, bits in {"": 8, "10le": 10, "12le": 12}.items()
}
"""The pixel formats read as they are, and their bits; libav repacks all others to 8 bits."""

BAND_PIXELS = 1 << 17
"""Pixels converted at a time: few enough to stay in a cache, many enough to outweigh the calls."""


def write_rgb(frame: VideoFrame, rgb: NDArray[np.float32]) -> None:
    """Convert a frame.

    Chroma is interpolated linearly from where H.264 has it by default: on every second column,
    and halfway between two rows. RGB is clamped to 0..1.

    Args:
        frame: Of any pixel format libav knows.
        rgb: float32 [H, W, 3], in the frame's own orientation and of any strides; written to.
    """
    if frame.format.is_rgb or frame.format.has_palette:
        np.divide(frame.to_ndarray(format="rgb24"), 255, out=rgb, dtype=np.float32)
        return
    coded = frame if frame.format.name in PLANAR else frame.reformat(format="yuv444p")
    coding = _coding(frame, PLANAR[coded.format.name])
    luma, *chroma = (_plane(coded, index, coding.bits) for index in range(len(coded.planes)))
    rows = BAND_PIXELS // frame.width // 2 * 2 or 2
    for top in range(0, frame.height, rows):
        band = slice(top, min(top + rows, frame.height))
        _write_band(luma, chroma, band, coding, rgb[band])


@dataclass(frozen=True)
class _Coding:
    """What codes stand for: luma's ends, how many codes chroma spans, red's and blue's weight."""

    bits: int
    black: int
    white: int
    span: int
    red: float
    blue: float


def _coding(frame: VideoFrame, bits: int) -> _Coding:
    untagged = 1 if frame.height >= HD_LINES else 5
    weights = LUMA_WEIGHTS.get(frame.colorspace, LUMA_WEIGHTS[untagged])
    if frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj"):
        top = (1 << bits) - 1
        return _Coding(bits, 0, top, top, *weights)
    step = 1 << (bits - 8)
    return _Coding(bits, 16 * step, 235 * step, 224 * step, *weights)


def _write_band(
    luma: NDArray[Any],
    chroma: list[NDArray[Any]],
    band: slice,
    coding: _Coding,
    rgb: NDArray[np.float32],
) -> None:
    y = luma[band].astype(np.float32)
    y -= coding.black
    y *= 1 / (coding.white - coding.black)
    if not chroma:
        np.clip(y[..., np.newaxis], 0, 1, out=rgb)
        return
    red, blue = coding.red, coding.blue
    green = 1 - red - blue
    # Cb is B - Y and Cr is R - Y, each scaled to the same span of codes.
    centre = 1 << (coding.bits - 1)
    blue_y = _at_luma_size(chroma[0], band, luma.shape, centre, 2 * (1 - blue) / coding.span)
    red_y = _at_luma_size(chroma[1], band, luma.shape, centre, 2 * (1 - red) / coding.span)
    np.clip(y + red_y, 0, 1, out=rgb[..., 0])
    np.clip(y + blue_y, 0, 1, out=rgb[..., 2])
    red_y *= red / green
    blue_y *= blue / green
    y -= red_y
    y -= blue_y
    np.clip(y, 0, 1, out=rgb[..., 1])


def _plane(frame: VideoFrame, index: int, bits: int) -> NDArray[Any]:
    """Return a plane of a frame as it lies in libav's memory."""
    plane: Any = frame.planes[index]
    codes: NDArray[Any] = np.frombuffer(plane, np.uint8 if bits == 8 else np.dtype("<u2"))
    return codes.reshape(plane.height, -1)[:, : plane.width]


def _at_luma_size(
    plane: NDArray[Any], band: slice, size: tuple[int, ...], centre: int, gain: float
) -> NDArray[np.float32]:
    """Return rows `band` of (plane - centre) * gain, interpolated to the size of luma."""
    if plane.shape[0] == size[0]:
        rows = (plane[band].astype(np.float32) - centre) * np.float32(gain)
    else:
        first, last = band.start // 2, (band.stop + 1) // 2
        around = np.clip(np.arange(first - 1, last + 1), 0, len(plane) - 1)
        rows = _double_rows((plane[around].astype(np.float32) - centre) * np.float32(gain))
        rows = rows[: band.stop - band.start]
    return rows if plane.shape[1] == size[1] else _double_columns(rows)[:, : size[1]]


def _double_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two rows for each but the first and last, a quarter of a row above and below it."""
    doubled = np.empty((len(rows) - 2, 2, rows.shape[1]), np.float32)
    far, near = rows * np.float32(0.25), rows[1:-1] * np.float32(0.75)
    np.add(near, far[:-2], out=doubled[:, 0])
    np.add(near, far[2:], out=doubled[:, 1])
    return doubled.reshape(-1, rows.shape[1])


def _double_columns(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each column, followed by the mean of it and the next."""
    doubled = np.empty((*rows.shape, 2), np.float32)
    doubled[..., 0] = rows
    half = rows * np.float32(0.5)
    np.add(half[:, :-1], half[:, 1:], out=doubled[:, :-1, 1])
    doubled[:, -1, 1] = rows[:, -1]
    return doubled.reshape(len(rows), -1)
