"""A small reduction of an image, by which the same picture read by two decoders is recognized.

Two decoders make slightly different pixels of one JPEG or WebP file: they interpolate subsampled
chroma differently and they round differently. A GPU driver changes the last bit of a generated
image. The fingerprint of the pixels then differs, although nobody changed the picture.

The reduction holds the mean luma of 64 x 64 cells, the mean chroma of 32 x 32 cells, and how much
chroma changes from pixel to pixel inside those. Decoders agree on luma and on even chroma. They
disagree where saturated colors meet, so the bounds widen with the change of chroma.

`python -m benchmarks.likeness` measures what the bounds rest on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

CELLS = 64
"""Luma cells along each side; chroma has half as many."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601, which JPEG and WebP use)."""

LEFT_MARGIN = 8
"""Columns left out: swscale of FFmpeg 7 and 8 writes past the end of some rows of an odd width."""

LAYOUT = np.dtype(
    [
        ("width", "<u4"),
        ("height", "<u4"),
        ("luma", "<u2", (CELLS, CELLS)),  # in 1/128 of the 8-bit step
        ("chroma", "<i2", (CELLS // 2, CELLS // 2, 2)),  # R - G and B - G, in 1/64
        ("roughness", "<u2", (CELLS // 2, CELLS // 2)),  # in 1/32
    ]
)


@dataclass(frozen=True)
class Bound:
    """How far decoders may be apart: `even` where chroma is even, at most `widest`."""

    even: float
    slope: float
    widest: float

    def is_kept(self, differences: NDArray[np.float64], roughness: NDArray[np.float64]) -> bool:
        """Return whether no cell differs by more than its roughness explains."""
        bounds = np.minimum(self.even + self.slope * roughness, self.widest)
        return bool((np.abs(differences) <= bounds).all())


LUMA_BOUND = Bound(even=3.0, slope=0.1, widest=5.5)
"""For the luma of one cell."""

SPOT_BOUND = Bound(even=6.6, slope=0.25, widest=12.0)
"""For the sum of 2 x 2 luma cells, less what is different all around them."""

CHROMA_BOUND = Bound(even=4.5, slope=0.5, widest=24.0)
"""For R - G and B - G."""

SHIFT_BOUND = 1.6
"""For how much brighter the whole picture is.

Decoders round one level of luma differently, by up to 2.6 where a picture is of one color; over
many levels that evens out, to at most 1.3.
"""

SHIFT_LEVELS = 32
"""So many levels of luma a picture has to have, or nobody can tell a shift from rounding."""

SURROUNDINGS = 5
"""Cells along each side of a cell's surroundings."""


def likeness(rgb: NDArray[np.uint8]) -> bytes:
    """Return the reduction of an image.

    Args:
        rgb: uint8 [H, W, 3], the pixels that are uploaded.

    Returns:
        14,344 bytes, little-endian: the size and the cells. Compare them with `is_same_picture`.
    """
    means, roughness = _reduce(rgb)
    result: NDArray[Any] = np.zeros((), LAYOUT)
    result["height"], result["width"] = rgb.shape[:2]
    result["luma"] = np.rint(means @ np.array(LUMA) * 128)
    result["chroma"] = np.rint(_pool(means[..., [0, 2]] - means[..., [1]]) * 64)
    result["roughness"] = np.rint(_pool(roughness[..., np.newaxis])[..., 0] * 32)
    return result.tobytes()


def is_same_picture(first: bytes, second: bytes) -> bool:
    """Return whether two reductions are of one picture, read by whatever decoders.

    A spot of 12 pixels in an image of 1280 x 720 makes a difference, wherever it lies, when its
    luma is off by 16 of 255 in an even area, and by 24 in one with colored grain. So does a
    brightness that is changed by 2 of 255 all over, unless the picture has few levels of luma.
    """
    if not len(first) == len(second) == LAYOUT.itemsize:
        return False
    a, b = (np.frombuffer(each, LAYOUT)[0] for each in (first, second))
    if (a["width"], a["height"]) != (b["width"], b["height"]):
        return False
    luma = (a["luma"].astype(np.float64) - b["luma"]) / 128
    if np.abs(luma).max() > LUMA_BOUND.widest:
        return False  # another picture, which is seen without the rest of the work
    if _shift(luma, (a["luma"].astype(np.float64) + b["luma"]) / 256) > SHIFT_BOUND:
        return False
    roughness = np.maximum(a["roughness"], b["roughness"]) / 32
    chroma = np.abs(a["chroma"].astype(np.float64) - b["chroma"]).max(axis=2) / 64
    fine = roughness.repeat(2, axis=0).repeat(2, axis=1)
    spots = _windows(luma - _surroundings(luma), 2).sum(axis=(2, 3))
    return (
        CHROMA_BOUND.is_kept(chroma, roughness)
        and LUMA_BOUND.is_kept(luma, fine)
        and SPOT_BOUND.is_kept(spots, _windows(fine, 2).max(axis=(2, 3)))
    )


def _shift(differences: NDArray[np.float64], luma: NDArray[np.float64]) -> float:
    """Return how much brighter one picture is, as the median over its levels of luma; 0 if few."""
    levels = np.rint(luma).astype(np.intp).ravel()
    counts = np.bincount(levels)
    means = np.bincount(levels, differences.ravel())[counts > 0] / counts[counts > 0]
    return abs(float(np.median(means))) if len(means) >= SHIFT_LEVELS else 0.0


def _reduce(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of each cell [64, 64, 3] and how much its chroma changes [64, 64]."""
    rgb = rgb[:, LEFT_MARGIN:] if rgb.shape[1] > CELLS + LEFT_MARGIN else rgb
    for axis in (0, 1):  # a side shorter than the grid is repeated, so that no cell is empty
        rgb = rgb.repeat(math.ceil(CELLS / rgb.shape[axis]), axis=axis)
    height, width = rgb.shape[:2]
    rows, columns = (np.arange(CELLS + 1) * side // CELLS for side in (height, width))
    means, roughness = np.empty((CELLS, CELLS, 3)), np.empty((CELLS, CELLS))
    for index in range(CELLS):
        top, bottom = rows[index], rows[index + 1]
        band = rgb[top : min(bottom + 1, height)]  # one row more, to see the change to it
        count = bottom - top
        sums = band[:count].sum(axis=0, dtype=np.float64)
        means[index] = np.add.reduceat(sums, columns[:-1], axis=0) / count
        changes = _chroma_changes(band)[:count].sum(axis=0)
        roughness[index] = np.add.reduceat(changes, columns[:-1]) / count
    widths = np.diff(columns)
    return means / widths[:, np.newaxis], roughness / widths


def _chroma_changes(band: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how much R - G and B - G change from each pixel to its neighbors [rows, W]."""
    chroma = band[..., [0, 2]].astype(np.int16) - band[..., [1]]
    changes = np.zeros(band.shape[:2])
    across = np.abs(np.diff(chroma, axis=1)).max(axis=2)
    changes[:, :-1] += across
    changes[:, 1:] += across
    changes[:-1] += 2 * np.abs(np.diff(chroma, axis=0)).max(axis=2)
    return changes


def _pool(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each 2 x 2 cells."""
    half = CELLS // 2
    pooled: NDArray[np.float64] = cells.reshape(half, 2, half, 2, -1).mean(axis=(1, 3))
    return pooled


def _surroundings(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of what is around each cell, which a spot does not change."""
    padded = np.pad(luma, SURROUNDINGS // 2, mode="reflect")
    medians: NDArray[np.float64] = np.median(_windows(padded, SURROUNDINGS), axis=(2, 3))
    return medians


def _windows(cells: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    windows: NDArray[np.float64] = sliding_window_view(cells, (side, side))
    return windows
