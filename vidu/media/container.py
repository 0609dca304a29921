"""Container files, opened by their content, and the check that one is complete."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import CorruptClipError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# av is imported where it is used: it takes a good part of a second that ComfyUI's start has not.

MP4_BOXES = (b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"styp")
CLIP_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv", ".avi")
"""The endings of saved clips; see `clip_suffix`."""

EBML = b"\x1a\x45\xdf\xa3"
EBML_DURATION = b"\x44\x89"
EBML_HEADER_BYTES = 4096
"""How far into the file the header that holds the duration may lie."""

END_TOLERANCE_S = 0.2
"""How much earlier the last frame may end than the file says it lasts."""


class Box(NamedTuple):
    """A box at the top level of an mp4 file: its four letters and its place in bytes."""

    kind: bytes
    start: int
    end: int


def open_clip(path: Path) -> InputContainer:
    """Open a video file for reading, whatever bytes its metadata holds.

    The format is named, after a look at the first bytes: libav would otherwise also take a
    playlist or a DASH manifest for a video, and fetch the addresses in it.

    PyAV before 19 raises UnicodeDecodeError for metadata that is not UTF-8 unless it is told to
    escape it; PyAV 19 always escapes it and no longer knows the argument.

    Raises:
        CorruptClipError: It is none of the formats that are read.
        av.FFmpegError: It cannot be opened.
    """
    import av

    escaped: dict[str, Any] = (
        {"metadata_errors": "surrogateescape"} if _major_version(av) < 19 else {}
    )
    format = container_format(path)
    options = {"protocol_whitelist": "file"}
    container: InputContainer = av.open(str(path), "r", format=format, options=options, **escaped)
    return container


def container_format(path: Path) -> str:
    """Return libav's name for the container format that the first bytes show.

    Raises:
        CorruptClipError: It is none that a clip comes in.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise CorruptClipError(f"The clip cannot be opened ({error.strerror}).") from error
    if head[4:8] in MP4_BOXES:
        return "mp4"
    if head.startswith(EBML):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    raise CorruptClipError("The file is not a video that can be read.")


def clip_suffix(path: Path) -> str:
    """Return the ending that fits a clip that is saved as it came: .mp4, .mov, .webm, .mkv, .avi.

    Raises:
        CorruptClipError: It is not a video.
    """
    format = container_format(path)
    with path.open("rb") as file:
        head = file.read(EBML_HEADER_BYTES)
    if format == "matroska":
        return ".webm" if b"webm" in head[:64] else ".mkv"
    if format == "avi":
        return ".avi"
    return ".mov" if head[8:12] == b"qt  " or head[4:8] != b"ftyp" else ".mp4"


def is_fragmented(path: Path) -> bool:
    """Return whether an mp4 file comes in fragments (ISO/IEC 14496-12, 8.8)."""
    return any(box.kind == b"moof" for box in top_boxes(path))


@contextmanager
def opened_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and its video stream; what libav raises inside becomes CorruptClipError."""
    import av

    try:
        with open_clip(path) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
                raise CorruptClipError("The file has no video stream that can be decoded.")
            yield container, stream
    except av.FFmpegError as error:
        raise CorruptClipError(f"The clip cannot be read ({error.strerror}).") from error


def check_end(path: Path, duration_s: float, *, require_end: bool) -> None:
    """Refuse a file that breaks off between two frames, where no frame is missed by decoding.

    Args:
        path: The file.
        duration_s: When its last frame ends, in seconds.
        require_end: Whether the file itself has to show its end, because nobody told its size.

    Raises:
        CorruptClipError: It breaks off, or its end is required and not there.
    """
    if container_format(path) == "mp4":
        is_whole = _mp4_is_whole(path, duration_s, require_end=require_end)
    else:
        is_whole = not require_end or _matroska_ends(path, duration_s)
    if not is_whole:
        raise CorruptClipError(f"The clip breaks off after {duration_s:.2f} s.")


def top_boxes(path: Path) -> list[Box]:
    """Return the boxes at the top level of an mp4 file (ISO/IEC 14496-12, 4.2)."""
    size, boxes, start = path.stat().st_size, [], 0
    with path.open("rb") as file:
        while start + 8 <= size:
            file.seek(start)
            head = file.read(16)
            length, kind = struct.unpack(">I4s", head[:8])
            if length == 1 and len(head) == 16:
                length = int.from_bytes(head[8:], "big")
            end = size if length == 0 else start + length
            boxes.append(Box(kind, start, end))
            if end < start + 8:
                break
            start = end
    return boxes


def _mp4_is_whole(path: Path, duration_s: float, *, require_end: bool) -> bool:
    size, boxes = path.stat().st_size, top_boxes(path)
    if any(box.end > size for box in boxes if box.kind in (b"mdat", b"moof", b"moov")):
        return False
    kinds = [box.kind for box in boxes]
    if not require_end or b"moof" not in kinds:
        return True  # an index counts every frame, and the decoder has counted them, too
    last_fragment = len(kinds) - 1 - kinds[::-1].index(b"moof")
    if {b"mfra", b"moov"} & set(kinds[last_fragment:]):
        return True
    promised_s = _fragments_duration_s(path, boxes)
    if promised_s is not None:
        return duration_s >= promised_s - END_TOLERANCE_S
    last_type = [box for box in boxes[:last_fragment] if box.kind == b"styp"][-1:]
    return any(b"lmsg" in _content(path, box) for box in last_type)


def _fragments_duration_s(path: Path, boxes: list[Box]) -> float | None:
    """Return how long all fragments last as the header says (mehd), if it does."""
    header = next((_content(path, box) for box in boxes if box.kind == b"moov"), b"")
    extends, movie = header.find(b"mehd"), header.find(b"mvhd")
    if extends < 0 or movie < 0:
        return None
    wide = header[movie + 4] == 1  # version 1 has times of 64 bits
    scale_at = movie + 8 + (16 if wide else 8)
    scale = int.from_bytes(header[scale_at : scale_at + 4], "big")
    length = 8 if header[extends + 4] == 1 else 4
    duration = int.from_bytes(header[extends + 8 : extends + 8 + length], "big")
    return duration / scale if scale and duration else None


def _content(path: Path, box: Box) -> bytes:
    with path.open("rb") as file:
        file.seek(box.start)
        return file.read(box.end - box.start)


def _matroska_ends(path: Path, duration_s: float) -> bool:
    """Return whether a Matroska or WebM file lasts as long as its header says; AVI never tells."""
    with path.open("rb") as file:
        head = file.read(EBML_HEADER_BYTES)
    if not head.startswith(EBML) or EBML_DURATION not in head:
        return False
    with opened_video(path) as (container, _):
        promised_s = (container.duration or 0) / 1_000_000  # libav counts it in microseconds
    return promised_s > 0 and duration_s >= promised_s - END_TOLERANCE_S


def _major_version(av: ModuleType) -> int:
    return int(av.__version__.partition(".")[0])
