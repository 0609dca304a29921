"""The conversion of decoded frames to RGB: exact, by the stream's own matrix and range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

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

WORDS, HALVES = np.dtype("<u4"), np.dtype("<i2")
"""Words of 32 bits and their halves, the low one first, whatever order the machine has."""


class Scratch:
    """Arrays for what lies between, used again for each band of each frame by one thread.

    Fresh ones of this size would have to be paged in every time.
    """

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[Any]] = {}
        self._arrays: dict[tuple[str, tuple[int, ...]], NDArray[Any]] = {}

    def array(self, name: str, dtype: DTypeLike, *shape: int) -> NDArray[Any]:
        """Return an array of that shape, holding anything; give a name the same dtype each time."""
        if (name, shape) not in self._arrays:
            self._arrays[name, shape] = self._flat(name, dtype, math.prod(shape)).reshape(shape)
        return self._arrays[name, shape]

    def _flat(self, name: str, dtype: DTypeLike, size: int) -> NDArray[Any]:
        if name not in self._memory or self._memory[name].size < size:
            self._memory[name] = np.empty(size, dtype)
        return self._memory[name][:size]


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
    y = scratch.array("luma", np.float32, height, width)
    y[:] = luma[band]
    y -= coding.black
    y *= 1 / (coding.white - coding.black)
    if not chroma:
        np.clip(y[..., np.newaxis], 0, 1, out=rgb)
        return
    red, blue = coding.red, coding.blue
    green = 1 - red - blue
    sums, summed = _sums_of_codes(chroma, band, luma.shape, coding, scratch)
    differences = scratch.array("differences", np.float32, 2, height, width)
    differences[:] = sums
    # Cb is B - Y and Cr is R - Y, each scaled to the same span of codes.
    blue_y, red_y = differences
    blue_y *= 2 * (1 - blue) / (coding.span * summed)
    red_y *= 2 * (1 - red) / (coding.span * summed)
    np.add(y, red_y, out=rgb[..., 0])
    np.add(y, blue_y, out=rgb[..., 2])
    red_y *= red / green
    blue_y *= blue / green
    y -= red_y
    np.subtract(y, blue_y, out=rgb[..., 1])
    np.clip(rgb, 0, 1, out=rgb)


def _sums_of_codes(
    chroma: list[NDArray[Any]],
    band: slice,
    shape: tuple[int, ...],
    coding: _Coding,
    scratch: Scratch,
) -> tuple[NDArray[np.int16], int]:
    """Return what chroma is at each pixel of a band, as a sum of codes, and of how many.

    Every weight of a linear interpolation to twice the size is a multiple of an eighth. So integers
    hold the sums exactly, and take half the memory of floats.

    Args:
        chroma: Both planes.
        band: Rows of luma.
        shape: Of luma: its rows and columns.
        coding: What codes stand for.
        scratch: This thread's own.

    Returns:
        int16 [2, rows, columns]; no color is 0. With 12 bits, they lie within 2^14 of it.
    """
    height, width = shape
    codes = _rows_around(chroma, band, height, scratch)
    has_all_rows, has_all_columns = len(chroma[0]) == height, codes.shape[2] == width
    sums = codes.view(HALVES)[..., ::2] if has_all_columns else _double_columns(codes, scratch)
    summed = 1 if has_all_columns else 2
    sums -= summed << (coding.bits - 1)
    if has_all_rows:
        return sums[..., :width], summed
    rows = _double_rows(sums[..., :width], scratch)
    return rows[:, : band.stop - band.start], 4 * summed


def _plane(frame: VideoFrame, index: int, bits: int) -> NDArray[Any]:
    """Return a plane of a frame as it lies in libav's memory."""
    plane: Any = frame.planes[index]
    codes: NDArray[Any] = np.frombuffer(plane, np.uint8 if bits == 8 else np.dtype("<u2"))
    return codes.reshape(plane.height, -1)[:, : plane.width]


def _rows_around(
    chroma: list[NDArray[Any]], band: slice, height: int, scratch: Scratch
) -> NDArray[np.uint32]:
    """Return the rows of both planes that a band of luma needs: uint32 [2, rows, columns]."""
    rows, columns = chroma[0].shape
    if rows == height:
        first, end = band.start, band.stop
    else:
        first, end = band.start // 2 - 1, (band.stop + 1) // 2 + 1
    codes = scratch.array("codes", WORDS, 2, end - first, columns)
    inside = slice(max(first, 0), min(end, rows))
    for plane, place in zip(chroma, codes, strict=True):
        place[inside.start - first : inside.stop - first] = plane[inside]
    if first < 0:
        codes[:, 0] = codes[:, 1]
    if end > rows:
        codes[:, -1] = codes[:, -2]
    return codes


def _double_columns(codes: NDArray[np.uint32], scratch: Scratch) -> NDArray[np.int16]:
    """Return twice each column, followed by the sum of it and the next; overwrites `codes`.

    One word holds both, the sum in its upper half: to write every second number of an array takes
    numpy four times as long as to compute whole words.
    """
    above = np.left_shift(codes, 16, out=scratch.array("above", WORDS, *codes.shape))
    codes *= (1 << 16) + 2
    words = codes.reshape(-1)
    words[:-1] += above.reshape(-1)[1:]
    doubled = codes.view(HALVES)
    doubled[..., -1] = doubled[..., -2]  # what is there comes from the next row
    return doubled


def _double_rows(sums: NDArray[np.int16], scratch: Scratch) -> NDArray[np.int16]:
    """Return four times the rows a quarter of a row above and below each but the first and last."""
    count, rows, columns = sums.shape
    doubled = scratch.array("rows", np.int16, count, rows - 2, 2, columns)
    near = scratch.array("near", np.int16, count, rows - 2, columns)
    np.multiply(sums[:, 1:-1], 3, out=near)
    np.add(near, sums[:, :-2], out=doubled[:, :, 0])
    np.add(near, sums[:, 2:], out=doubled[:, :, 1])
    return doubled.reshape(count, -1, columns)
