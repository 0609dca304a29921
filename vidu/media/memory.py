"""The memory that frames take, and the memory that is free."""

from __future__ import annotations

import sys

FLOAT_BYTES, CHANNELS = 4, 3

WORKING_SHARE, WORKING_BYTES = 0.08, 80_000_000
"""What decoding needs beside the frames it returns."""


def frames_bytes(pixels: int, frame_count: int) -> int:
    """Return the bytes of decoded frames of this many pixels each: float32, three channels."""
    return pixels * CHANNELS * FLOAT_BYTES * frame_count


def working_bytes(frames: int) -> int:
    """Return the bytes that decoding needs beside the `frames` bytes that it returns."""
    return int(frames * WORKING_SHARE) + WORKING_BYTES


def free_memory() -> int:
    """Return how many bytes can be taken.

    macOS compresses and swaps what is not in use before a program fails, and reports little as
    available: there, half of all memory counts as free.
    """
    import psutil

    memory = psutil.virtual_memory()
    if sys.platform == "darwin":
        return max(int(memory.available), int(memory.total) // 2)
    return int(memory.available)
