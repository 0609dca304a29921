"""A picture to draw drafts from, and how far two frames are apart."""

from __future__ import annotations

import numpy as np

PICTURE = np.kron(
    np.random.default_rng(3).integers(40, 216, (9, 16, 3), np.uint8), np.ones((20, 20, 1), np.uint8)
)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())
