"""The remuxing of a finished clip, with the workflow embedded as metadata."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptClipError, SaveError
from .container import clip_suffix, container_format, is_fragmented, open_clip
from .probe import probe
from .write_result import WriteResult

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

CARRIED = ("video", "audio", "subtitle")
"""The kinds of streams a clip is remuxed with."""

BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""What libav reports as metadata and is a fact of the old file's layout."""


MUXERS = {".mp4": "mp4", ".mov": "mov", ".webm": "webm", ".mkv": "matroska"}
"""libav's muxers, by the ending of their files, that write any text as metadata; AVI's does not."""


def write_clip(source: Path, target: Path, metadata: Mapping[str, str]) -> WriteResult:
    """Remux a clip: copy its packets, write the index first, embed the metadata and fsync.

    What no mp4 can hold, such as ProRes, is remuxed in the container that it came in. An AVI file
    is copied byte by byte, without the metadata.

    Args:
        source: The clip; it is left alone.
        target: The file to write; after an error, part of it may stand there.
        metadata: Written beside the clip's own, as ComfyUI does: JSON under `workflow`, `prompt`.

    Returns:
        How it was saved: as .mp4, or as what the clip came as.

    Raises:
        SaveError: It could not be written.
    """
    import av

    try:
        written = _write(source, target, metadata)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
        return written
    except (OSError, av.FFmpegError) as error:
        raise SaveError(
            f"The clip could not be written to {target.parent} ({error.strerror})."
        ) from error


def _write(source: Path, target: Path, metadata: Mapping[str, str]) -> WriteResult:
    own = clip_suffix(source)
    for suffix in dict.fromkeys((".mp4", own)):
        if suffix in MUXERS and _is_remuxed(source, target, metadata, MUXERS[suffix]):
            return WriteResult(suffix, has_metadata=True)
    shutil.copyfile(source, target)
    return WriteResult(own, has_metadata=not metadata)


def _is_remuxed(source: Path, target: Path, metadata: Mapping[str, str], muxer: str) -> bool:
    """Remux, and tell whether every packet is there."""
    import av

    try:
        _remux(source, target, metadata, muxer)
    except (ValueError, av.FFmpegError) as error:
        if isinstance(error, OSError):  # the disk is full, for example: not the clip's fault
            raise
        return False
    return _has_same_frames(source, target)


def _has_same_frames(source: Path, target: Path) -> bool:
    """Return whether the muxer took every packet; of an mp4 it always does."""
    if container_format(source) == "mp4" and not is_fragmented(source):
        return True
    try:
        return probe(source).frame_count == probe(target).frame_count
    except CorruptClipError:
        return False


def _remux(source: Path, target: Path, metadata: Mapping[str, str], muxer: str) -> None:
    import av

    with (
        open_clip(source) as container,
        av.open(str(target), "w", format=muxer, options=_options(container, muxer)) as output,
    ):
        own = {key: value for key, value in container.metadata.items() if key not in BRANDS}
        output.metadata.update({**own, **metadata})
        copies = _copies(container, output)
        for packet in container.demux([container.streams[index] for index in copies]):
            if packet.size:
                packet.stream = copies[packet.stream_index]
                output.mux(packet)


def _options(container: InputContainer, muxer: str) -> dict[str, str]:
    if muxer not in ("mp4", "mov"):
        return {}
    options = {"movflags": "use_metadata_tags+faststart"}
    video = container.streams.best("video")
    if video and video.time_base and video.time_base.numerator == 1:
        # The muxer would choose a finer scale, and every timestamp would change.
        options["video_track_timescale"] = str(video.time_base.denominator)
    return options


def _copies(container: InputContainer, output: OutputContainer) -> dict[int, Stream]:
    copies = {}
    for stream in container.streams:
        if stream.type not in CARRIED or stream.codec_context is None:
            continue
        copy = output.add_stream_from_template(stream, opaque=True)
        copy.metadata.update(stream.metadata)
        copies[stream.index] = copy
    return copies
