"""The rotation of a clip's frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Return how a clip is turned, from one of its frames.

    One is enough, and better: a PyAV frame that was asked for its side data is part of a cycle,
    and its megabytes wait for the garbage collector.

    Source: the display matrix of ISO/IEC 14496-12, 6.2.2, taken to the nearest quarter turn.

    Returns:
        0, 90, 180 or 270 degrees clockwise, and whether a mirroring, left to right, goes before.
    """
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    mirrored = a * d < b * c
    right = (-a, -b) if mirrored else (a, b)  # where the matrix takes what points right
    return round(math.degrees(math.atan2(right[1], right[0])) / 90) % 4 * 90, mirrored


def as_stored(shown: NDArray[np.float32], rotation: int, *, mirrored: bool) -> NDArray[np.float32]:
    """Return a view of frames [N, H, W, 3] as shown, in the orientation they are stored in."""
    turned_back = np.rot90(shown, rotation // 90, axes=(1, 2))
    return turned_back[:, :, ::-1] if mirrored else turned_back
