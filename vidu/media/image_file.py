"""Image files as the pixels that are sent, read as ComfyUI's Load Image reads them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InvalidImageError
from .image import to_rgb8

if TYPE_CHECKING:
    from PIL import ImageCms

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jp2", ".tga", ".ppm"),
)
"""The endings of image files; which of them can be read depends on this Pillow."""

SAME_COLOR_STEPS = 3
"""A profile that moves no color by more 8-bit steps than this is sRGB under another name."""

OnNotice = Callable[[str], None]


def is_image_name(path: Path) -> bool:
    """Return whether this Pillow opens files with this ending."""
    suffix = path.suffix.lower()
    return suffix in SUFFIXES and Image.registered_extensions().get(suffix) in Image.OPEN


def load_image(path: Path | str, on_notice: OnNotice | None = None) -> NDArray[np.uint8]:
    """Return the image in a file, upright as its EXIF orientation says, in sRGB.

    Transparency is dropped, as ComfyUI's Load Image drops it into its mask output: the same file
    is then the same shot in the graph and in a shell, and is not paid for twice.

    Args:
        path: Of any format that Pillow reads. Of an animation the first frame is taken.
        on_notice: Called with one sentence for each thing in the file that is not sent.

    Returns:
        uint8 [H, W, 3].

    Raises:
        InvalidImageError: The file is missing, not an image, or broken.
    """
    path = Path(path)
    try:
        with Image.open(path) as file:
            for notice in _notices(path.name, file):
                if on_notice:
                    on_notice(notice)
            image = ImageOps.exif_transpose(file)
            return _in_srgb(path.name, image, file.info.get("icc_profile"), on_notice)
    except FileNotFoundError as error:
        raise InvalidImageError(f"{path} does not exist.", "Check the path.") from error
    except IsADirectoryError as error:
        raise InvalidImageError(f"{path} is a folder.", "Name an image in it.") from error
    except UnidentifiedImageError as error:
        raise InvalidImageError(
            f"{path.name} is not an image that Pillow {PIL.__version__} can read.",
            "Save it as PNG, JPEG or WebP.",
        ) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidImageError(
            f"{path.name} cannot be read as an image ({error}).", "Use a PNG, JPEG or WebP file."
        ) from error


def _notices(name: str, file: Image.Image) -> list[str]:
    notices = []
    frame_count = getattr(file, "n_frames", 1)
    if frame_count > 1:
        notices.append(f"{name} has {frame_count} frames; the first one is used.")
    if "A" in file.getbands() or "transparency" in file.info:
        notices.append(
            f"The transparency of {name} is not sent; the colors under it are, as from ComfyUI's "
            "Load Image."
        )
    return notices


def _in_srgb(
    name: str, image: Image.Image, profile: bytes | None, on_notice: OnNotice | None
) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        return to_rgb8(_unit_range(np.asarray(image)))
    if image.mode == "P":  # its transparency is only understood on this way
        image = image.convert("RGBA")
    if image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    if profile is None:
        return np.array(image.convert("RGB"))
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        to_srgb = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, "RGB")
        if _changes_colors(to_srgb, image.mode):
            converted = ImageCms.applyTransform(image, to_srgb)
            assert converted is not None  # it is None only where it works in place
            return np.array(converted)
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError):
        if on_notice:
            on_notice(f"The color profile of {name} cannot be used; its colors are sent as sRGB.")
    return np.array(image.convert("RGB"))


def _changes_colors(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a profile is another one than sRGB, by what it does to colors of all kinds."""
    from PIL import ImageCms

    if mode == "CMYK":
        return True
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    if mode == "L":
        colors = Image.fromarray(steps[np.newaxis])
    else:
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
        colors = Image.fromarray(grid.reshape(1, -1, 3))
    changed = ImageCms.applyTransform(colors, transform)
    assert changed is not None
    before = np.asarray(colors.convert("RGB"), dtype=np.int16)
    return bool(np.abs(np.asarray(changed) - before).max() > SAME_COLOR_STEPS)


def _unit_range(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return gray of 16 or 32 bits, or of floats, by the range that it is stored in, as 0..1."""
    unit = values.astype(np.float32)
    if values.dtype.kind == "f":
        brightest = float(np.nanmax(unit, initial=0))
        white = 1.0 if brightest <= 1 else 255.0 if brightest <= 255 else 65535.0
    else:
        white = 65535.0 if values.max() <= 65535 else float(2**31 - 1)
    return unit / np.float32(white)
