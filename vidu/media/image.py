"""The encoding of pixels to the bytes that are uploaded."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InvalidImageError
from .likeness import likeness

UPLOAD_LIMIT = 10_000_000
"""Vidu takes no more than 10 MB of decoded image (platform.vidu.com/docs/image-to-video)."""

JPEG_LADDER = ((98, "4:4:4"), (90, "4:2:0"), (75, "4:2:0"))
"""Quality and chroma sampling, tried in turn; what each loses is in benchmarks/README.md."""

BAND = 1_000_000
"""Values converted at a time: few enough that their float32 copies stay in a cache."""

SAMPLED = 8
"""One in this many bands of 16 rows (JPEG's largest unit) tells how well an image compresses."""


@dataclass(frozen=True)
class EncodedImage:
    """An image as it is uploaded.

    Args:
        data: The file's bytes, at most `UPLOAD_LIMIT`.
        media_type: image/png (the exact pixels) or image/jpeg.
        width: Of the image in `data`, in pixels.
        height: Of the image in `data`, in pixels.
        content_sha256: 64 hex digits of the size and 8-bit RGB pixels before compression: it
            names the image, whatever version of a codec wrote the bytes.
        likeness: A reduction of the same pixels, by which `is_same_picture` recognizes them after
            another decoder read them.
    """

    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    content_sha256: str
    likeness: bytes = field(default=b"", repr=False)

    duration_s = 0.0

    @property
    def suffix(self) -> str:
        """The ending of the file's name."""
        return ".png" if self.media_type == "image/png" else ".jpg"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data)


def encode(pixels: NDArray[Any]) -> EncodedImage:
    """Return an image as upload bytes: PNG, or where that is over 10 MB, JPEG.

    An image that is too much even for the last step of `JPEG_LADDER` is halved first.

    Args:
        pixels: See `to_rgb8`.

    Raises:
        InvalidImageError: See `to_rgb8`.
    """
    rgb = to_rgb8(pixels)
    with ThreadPoolExecutor(2) as beside:
        digest, reduction = beside.submit(_digest, rgb), beside.submit(likeness, rgb)
        data, media_type = _compress(rgb)
        while len(data) > UPLOAD_LIMIT:
            rgb = np.asarray(Image.fromarray(rgb).reduce(2))
            data, media_type = _compress(rgb)
    height, width = rgb.shape[:2]
    return EncodedImage(data, media_type, width, height, digest.result(), reduction.result())


def to_rgb8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels as 8-bit RGB.

    Floats are clamped to 0..1 and rounded to the nearest of the 256 steps. Gray is replicated.
    Alpha is flattened over white, as a browser shows it on a blank page.

    Args:
        pixels: [H, W] or [H, W, C] with 1, 3 or 4 channels; uint8, or float of any width, 0..1.

    Returns:
        uint8 [H, W, 3], contiguous; `pixels` itself when it is that already.

    Raises:
        InvalidImageError: The shape or dtype is none of these, or a value is NaN.
    """
    _check(pixels)
    planes = pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
    if planes.dtype == np.uint8 and planes.shape[2] != 4:
        return np.ascontiguousarray(np.broadcast_to(planes, (*planes.shape[:2], 3)))
    rgb = np.empty((*planes.shape[:2], 3), np.uint8)
    rows = max(1, BAND // planes[0].size)
    bands = [slice(top, top + rows) for top in range(0, len(rgb), rows)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda band: _round(planes[band], rgb[band]), bands))
    return rgb


def _check(pixels: NDArray[Any]) -> None:
    shape = pixels.shape
    if pixels.ndim not in (2, 3) or not pixels.size or shape[2:] not in ((), (1,), (3,), (4,)):
        raise InvalidImageError(
            f"An array of shape {list(shape)} is not one image.",
            "Give [height, width, channels] with 1, 3 or 4 channels.",
        )
    if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
        raise InvalidImageError(
            f"An image of {pixels.dtype} values has no known range.",
            "Give floats from 0 to 1, or uint8.",
        )


def _round(band: NDArray[Any], rgb: NDArray[np.uint8]) -> None:
    """Write a band of pixels as bytes into `rgb`, flattened, clamped and rounded."""
    unit = _unit_range(band)
    if unit.shape[2] == 4:
        alpha = unit[..., 3:]
        unit = unit[..., :3] * alpha + (1 - alpha)
    np.multiply(unit, 255, out=unit)
    np.rint(unit, out=unit)
    np.copyto(rgb, unit, casting="unsafe")


def _unit_range(band: NDArray[Any]) -> NDArray[np.float32]:
    """Return a float32 copy within 0..1."""
    unit = band.astype(np.float32)
    if band.dtype == np.uint8:
        unit /= 255
        return unit
    np.clip(unit, 0, 1, out=unit)
    if np.isnan(unit.sum()):  # a sum is NaN as soon as one value is; infinities are clipped
        raise InvalidImageError(
            "The image holds values that are not numbers (NaN), so it would be sent black.",
            "Decode it with another VAE or precision; NaN comes from a node before this one.",
        )
    return unit


def _digest(rgb: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(f"{rgb.shape[1]}x{rgb.shape[0]}:".encode())
    digest.update(rgb.data)
    return digest.hexdigest()


def _compress(rgb: NDArray[np.uint8]) -> tuple[bytes, str]:
    """Return the best form that fits `UPLOAD_LIMIT`, or the smallest JPEG when none does."""
    png = _saved(rgb, "PNG", compress_level=1)
    if len(png) <= UPLOAD_LIMIT:
        return png, "image/png"
    sample = np.concatenate([rgb[top : top + 16] for top in range(0, len(rgb), 16 * SAMPLED)])
    for quality, subsampling in JPEG_LADDER[:-1]:
        if len(_jpeg(sample, quality, subsampling)) * len(rgb) > UPLOAD_LIMIT * len(sample):
            continue
        data = _jpeg(rgb, quality, subsampling)
        if len(data) <= UPLOAD_LIMIT:
            return data, "image/jpeg"
    return _jpeg(rgb, *JPEG_LADDER[-1]), "image/jpeg"


def _jpeg(rgb: NDArray[np.uint8], quality: int, subsampling: str) -> bytes:
    return _saved(rgb, "JPEG", quality=quality, subsampling=subsampling)


def _saved(rgb: NDArray[np.uint8], name: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(rgb).save(file, name, **options)
    return file.getvalue()
