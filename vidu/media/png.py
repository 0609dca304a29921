"""RGB pixels into a PNG, all processors at once."""

from __future__ import annotations

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB8 = (8, 2, 0, 0, 0)
"""Bit depth, color type, and the only compression, filter and interlace methods in use."""

FILTER_SUB = 1
"""Each byte is written as its difference to the pixel on the left."""

STRIP_BYTES = 500_000
"""Pixels deflated in one piece: they stay in a cache, and are many beside deflate's 32 KB."""


def encode_png(pixels: NDArray[np.uint8], limit: int) -> bytes | None:
    """Return the pixels as a PNG, or None as soon as it is certain to be longer than `limit`.

    Strips of rows are deflated side by side and simply joined, as pigz does: zlib lets go of the
    GIL. Run-length matching after the Sub filter is both the fastest strategy and, on photos,
    a smaller one than zlib's default (benchmarks/README.md).

    Args:
        pixels: uint8 [H, W, 3].
        limit: The most bytes the whole file may have.
    """
    height, width = pixels.shape[:2]
    rows = max(1, STRIP_BYTES // (3 * width))
    header = struct.pack(">II5B", width, height, *RGB8)
    file = bytearray(SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"\x78\x01"))
    checksum = zlib.adler32(b"")
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        strips = (pixels[top : top + rows] for top in range(0, height, rows))
        for filtered, deflated in pool.map(_deflate, strips):
            checksum = zlib.adler32(filtered.data, checksum)
            file += _chunk(b"IDAT", deflated)
            if len(file) > limit:
                return None
    finally:
        pool.shutdown(cancel_futures=True)
    file += _chunk(b"IDAT", END_OF_DEFLATE + struct.pack(">I", checksum)) + _chunk(b"IEND", b"")
    return bytes(file) if len(file) <= limit else None


END_OF_DEFLATE = b"\x03\x00"
"""An empty block marked as the last one."""


def _deflate(strip: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bytes]:
    rows = strip.reshape(len(strip), -1)
    filtered = np.empty((rows.shape[0], 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = FILTER_SUB
    filtered[:, 1:4] = rows[:, :3]
    np.subtract(rows[:, 3:], rows[:, :-3], out=filtered[:, 4:])
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return filtered, deflate.compress(filtered.data) + deflate.flush(zlib.Z_FULL_FLUSH)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
