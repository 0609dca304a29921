"""The conversion of decoded frames to RGB: exact, by the stream's own matrix and range."""

from __future__ import annotations

import math
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


class Scratch:
    """Arrays for what lies between, used again for each band of each frame by one thread.

    Fresh ones of this size would have to be paged in every time.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[np.float32]] = {}

    def array(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return a float32 array of that shape, holding anything."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size, np.float32)
        return self._arrays[name][:size].reshape(shape)


def write_rgb(frame: VideoFrame, rgb: NDArray[np.float32], scratch: Scratch) -> None:
    """Convert a frame.

    Chroma is interpolated linearly from where H.264 has it by default: on every second column,
    and halfway between two rows. RGB is clamped to 0..1.

    Args:
        frame: Of any pixel format libav knows.
        rgb: float32 [H, W, 3], in the frame's own orientation and of any strides; written to.
        scratch: This thread's own.
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
        _write_band(luma, chroma, band, coding, rgb[band], scratch)


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
    scratch: Scratch,
) -> None:
    height, width = band.stop - band.start, luma.shape[1]
    y = scratch.array("luma", height, width)
    y[:] = luma[band]
    y -= coding.black
    y *= 1 / (coding.white - coding.black)
    if not chroma:
        np.clip(y[..., np.newaxis], 0, 1, out=rgb)
        return
    red, blue = coding.red, coding.blue
    green = 1 - red - blue
    # Cb is B - Y and Cr is R - Y, each scaled to the same span of codes.
    codes = _rows_around(chroma, band, len(luma), scratch)
    codes -= 1 << (coding.bits - 1)
    codes[0] *= 2 * (1 - blue) / coding.span
    codes[1] *= 2 * (1 - red) / coding.span
    rows = codes if codes.shape[1] == height else _double_rows(codes, scratch)[:, :height]
    columns = rows if rows.shape[2] == width else _double_columns(rows, scratch)[..., :width]
    blue_y, red_y = columns
    blended = scratch.array("blended", height, width)
    np.clip(np.add(y, red_y, out=blended), 0, 1, out=rgb[..., 0])
    np.clip(np.add(y, blue_y, out=blended), 0, 1, out=rgb[..., 2])
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


def _rows_around(
    chroma: list[NDArray[Any]], band: slice, height: int, scratch: Scratch
) -> NDArray[np.float32]:
    """Return the rows of both planes that a band of luma needs: float32 [2, rows, columns]."""
    if len(chroma[0]) == height:
        needed = np.arange(band.start, band.stop)
    else:
        needed = np.arange(band.start // 2 - 1, (band.stop + 1) // 2 + 1)
    codes = scratch.array("codes", 2, len(needed), chroma[0].shape[1])
    for plane, place in zip(chroma, codes, strict=True):
        place[:] = plane.take(needed, axis=0, mode="clip")
    return codes


def _double_rows(planes: NDArray[np.float32], scratch: Scratch) -> NDArray[np.float32]:
    """Return two rows for each but the first and last, a quarter of a row above and below it."""
    count, rows, columns = planes.shape
    doubled = scratch.array("rows", count, rows - 2, 2, columns)
    far = np.multiply(planes, 0.25, out=scratch.array("far", *planes.shape))
    planes *= 0.75
    np.add(planes[:, 1:-1], far[:, :-2], out=doubled[:, :, 0])
    np.add(planes[:, 1:-1], far[:, 2:], out=doubled[:, :, 1])
    return doubled.reshape(count, -1, columns)


def _double_columns(planes: NDArray[np.float32], scratch: Scratch) -> NDArray[np.float32]:
    """Return each column, followed by the mean of it and the next."""
    doubled = scratch.array("columns", *planes.shape, 2)
    doubled[..., 0] = planes
    np.add(planes[..., :-1], planes[..., 1:], out=doubled[..., :-1, 1])
    doubled[..., :-1, 1] *= 0.5
    doubled[..., -1, 1] = planes[..., -1]
    return doubled.reshape(*planes.shape[:2], -1)
