"""A finished still: checked, and saved as it came with its workflow inside."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from ..errors import CorruptClipError, SaveError
from .probe import Probe
from .write_result import WriteResult

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
JPEG_SEGMENT_LIMIT = 65_533
"""The most bytes a JPEG segment holds beside its own length."""

EXIF_TAGS = {"prompt": 0x0110, "workflow": 0x010F}
"""Where ComfyUI keeps its JSON in WebP and JPEG: as `prompt:...` and `workflow:...`."""

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
"""The endings of saved stills by Pillow's names for their formats."""


def check_still(path: Path, *, require_end: bool = False) -> Probe:
    """Decode a still and return what it is made of.

    Args:
        path: The file, whatever its name ends with.
        require_end: Without meaning here: every format of a still shows its own end.

    Raises:
        CorruptClipError: It is not an image, or breaks off.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=tuple(SUFFIXES)) as image:
            image.load()
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptClipError(f"The image does not decode ({error}).") from error
    return Probe(width=width, height=height, fps=0.0, frame_count=1, duration_s=0.0)


def write_still(source: Path, target: Path, metadata: Mapping[str, str]) -> WriteResult:
    """Write a still again: the same compressed pixels, with metadata inside; it is on disk then.

    PNG carries the metadata as text, JPEG and WebP as EXIF, as ComfyUI does. What does not fit
    into a JPEG (64 KB) is left out.

    Args:
        source: The still; it is left alone.
        target: The file to write; after an error, part of it may stand there.
        metadata: JSON under `workflow` and `prompt`.

    Returns:
        How it was saved: as .png, .jpg or .webp.

    Raises:
        SaveError: It could not be written.
    """
    try:
        data = source.read_bytes()
        tagged = _with_metadata(data, metadata)
        with target.open("wb") as file:
            file.write(tagged)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SaveError(
            f"The image could not be written to {target.parent} ({error.strerror})."
        ) from error
    return WriteResult(still_suffix(data), has_metadata=not metadata or tagged is not data)


def read_still_metadata(path: Path) -> dict[str, str]:
    """Return the `workflow` and `prompt` that a still carries; none where it is not an image."""
    from PIL import Image

    try:
        with Image.open(path, formats=tuple(SUFFIXES)) as image:
            texts = [*image.getexif().values()]
            found = {name: image.info[name] for name in EXIF_TAGS if name in image.info}
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return {}
    for text in texts:
        name, separator, value = str(text).partition(":")
        if separator and name in EXIF_TAGS:
            found[name] = value
    return found


def still_suffix(data: bytes) -> str:
    """Return the ending that fits the bytes of a still."""
    if data.startswith(PNG_SIGNATURE):
        return ".png"
    return ".jpg" if data.startswith(JPEG_START) else ".webp"


def _with_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    if not metadata:
        return data
    suffix = still_suffix(data)
    if suffix == ".png":
        header_end = len(PNG_SIGNATURE) + 25  # IHDR is always first, and 25 bytes long
        texts = b"".join(_png_text(name, text) for name, text in metadata.items())
        return data[:header_end] + texts + data[header_end:]
    exif = _exif(metadata)
    if suffix == ".jpg":
        segment = b"Exif\0\0" + exif
        if len(segment) > JPEG_SEGMENT_LIMIT:
            return data
        marker = b"\xff\xe1" + struct.pack(">H", len(segment) + 2)
        return data[:2] + marker + segment + data[2:]
    return _webp_with_exif(data, exif)


def _png_text(name: str, text: str) -> bytes:
    """Return an iTXt chunk (PNG, 11.3.4.5), or tEXt where Latin-1 is enough."""
    try:
        kind, content = b"tEXt", name.encode() + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        kind, content = b"iTXt", name.encode() + b"\0\0\0\0\0" + text.encode()
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _exif(metadata: Mapping[str, str]) -> bytes:
    from PIL import Image

    exif = Image.Exif()
    for name, tag in EXIF_TAGS.items():
        if name in metadata:
            exif[tag] = f"{name}:{metadata[name]}"
    return exif.tobytes().removeprefix(b"Exif\0\0")


def _webp_with_exif(data: bytes, exif: bytes) -> bytes:
    """Return a WebP with an EXIF chunk at its end (developers.google.com, RIFF container)."""
    from io import BytesIO

    from PIL import Image

    chunks = data[12:]
    if chunks.startswith(b"VP8X"):
        flags = chunks[8] | 0x08
        chunks = chunks[:8] + bytes([flags]) + chunks[9:]
    else:
        with Image.open(BytesIO(data)) as image:
            width, height = (side - 1 for side in image.size)
            alpha = 0x10 if image.mode == "RGBA" else 0
        extended = struct.pack("<I", 0x08 | alpha) + width.to_bytes(3, "little")
        chunks = b"VP8X" + struct.pack("<I", 10) + extended + height.to_bytes(3, "little") + chunks
    padding = b"\0" * (len(exif) % 2)
    chunks += b"EXIF" + struct.pack("<I", len(exif)) + exif + padding
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks
