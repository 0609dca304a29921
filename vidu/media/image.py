"""Pixels into upload bytes."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..errors import InvalidImageError
from .png import encode_png

UPLOAD_LIMIT = 10_000_000
"""Vidu takes no more than 10 MB of decoded image (platform.vidu.com/docs/image-to-video)."""

JPEG_LADDER = ((98, "4:4:4"), (90, "4:2:0"), (75, "4:2:0"))
"""Quality and chroma sampling, tried in turn; what each loses is in benchmarks/README.md."""

BAND = 1_000_000
"""Values converted at a time: few enough that their float32 copies stay in a cache."""

SAMPLED = 8
"""One in so many bands of 16 rows (JPEG's largest unit) tells how well an image compresses."""


@dataclass(frozen=True)
class EncodedImage:
    """An image as it is uploaded.

    Args:
        data: The file's bytes, at most `UPLOAD_LIMIT`.
        media_type: image/png (the exact pixels) or image/jpeg.
        width: Of the image in `data`, in pixels.
        height: Of the image in `data`, in pixels.
        pixels_sha256: 64 hex digits of the size and 8-bit RGB pixels before compression: it
            names the image, whatever version of a codec wrote the bytes.
    """

    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    pixels_sha256: str

    duration_s = 0.0

    @property
    def suffix(self) -> str:
        """The ending of the file's name."""
        return ".png" if self.media_type == "image/png" else ".jpg"

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data)

    @property
    def content_sha256(self) -> str:
        """The pixels' name; see `pixels_sha256`."""
        return self.pixels_sha256


def encode(pixels: NDArray[Any]) -> EncodedImage:
    """Return an image as upload bytes: PNG, or where that is over 10 MB, JPEG.

    An image that is too much even for the last step of `JPEG_LADDER` is halved first.

    Args:
        pixels: See `to_rgb8`.

    Raises:
        InvalidImageError: See `to_rgb8`.
    """
    rgb = to_rgb8(pixels)
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(_digest, rgb)
        data, media_type = _compress(rgb)
        while len(data) > UPLOAD_LIMIT:
            rgb = np.asarray(Image.fromarray(rgb).reduce(2))
            data, media_type = _compress(rgb)
    return EncodedImage(data, media_type, rgb.shape[1], rgb.shape[0], digest.result())


def to_rgb8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return pixels as 8-bit RGB.

    Floats are clamped to 0..1 and rounded to the nearest of the 256 steps; NaN becomes 0. Gray
    is replicated. Alpha is flattened over white, as a browser shows it on a blank page.

    Args:
        pixels: [H, W] or [H, W, C] with 1, 3 or 4 channels; uint8, or float of any width, 0..1.

    Returns:
        uint8 [H, W, 3], contiguous; `pixels` itself when it is that already.

    Raises:
        InvalidImageError: The shape or dtype is none of these.
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


def load_image(path: Path | str) -> NDArray[np.uint8]:
    """Return the image in a file, turned as its EXIF orientation says.

    Returns:
        uint8 [H, W, 3], or [H, W, 4] where the file has transparency.

    Raises:
        InvalidImageError: The file is missing, not an image, or broken.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I"):  # 16-bit gray, which Pillow would clip at 255
                return to_rgb8(np.asarray(image) / np.float32(65535))
            return np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidImageError(
            f"{Path(path).name} cannot be read as an image.", "Use a PNG, JPEG or WebP file."
        ) from error


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
    np.fmax(unit, 0, out=unit)  # of NaN and a number, fmax takes the number
    np.minimum(unit, 1, out=unit)
    return unit


def _digest(rgb: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(f"{rgb.shape[1]}x{rgb.shape[0]}:".encode())
    digest.update(rgb.data)
    return digest.hexdigest()


def _compress(rgb: NDArray[np.uint8]) -> tuple[bytes, str]:
    """Return the best form that fits `UPLOAD_LIMIT`, or the smallest JPEG when none does."""
    png = encode_png(rgb, UPLOAD_LIMIT)
    if png is not None:
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
    file = BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()
