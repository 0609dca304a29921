"""Remuxing of a finished clip, with the workflow embedded as metadata."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptClipError, SaveError
from .container import clip_suffix, container_format, is_fragmented, open_clip
from .probe import probe

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

CARRIED = ("video", "audio", "subtitle")
"""The kinds of streams an mp4 is remuxed with."""

BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""What libav reports as metadata and is a fact of the old file's layout."""


def write_clip(source: Path, target: Path, metadata: Mapping[str, str]) -> str:
    """Remux a clip: copy its packets, write the index first, embed the metadata and fsync.

    What no mp4 can hold, such as ProRes, is copied byte by byte, without the metadata.

    Args:
        source: The clip; it is left alone.
        target: The file to write; after an error, part of it may stand there.
        metadata: Written beside the clip's own, as ComfyUI does: JSON under `workflow`, `prompt`.

    Returns:
        The ending that the file's name should have: .mp4, or what the clip came as.

    Raises:
        SaveError: It could not be written.
    """
    import av

    try:
        try:
            _remux(source, target, metadata)
            suffix = ".mp4" if _has_same_frames(source, target) else _copy(source, target)
        except (ValueError, av.FFmpegError) as error:
            if isinstance(error, OSError):  # the disk is full, for example: not the clip's fault
                raise
            suffix = _copy(source, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
        return suffix
    except (OSError, av.FFmpegError) as error:
        raise SaveError(
            f"The clip could not be written to {target.parent} ({error.strerror})."
        ) from error


def _has_same_frames(source: Path, target: Path) -> bool:
    """Tell whether the muxer took every packet; of an mp4 it always does."""
    if container_format(source) == "mp4" and not is_fragmented(source):
        return True
    try:
        return probe(source).frame_count == probe(target).frame_count
    except CorruptClipError:
        return False


def _copy(source: Path, target: Path) -> str:
    shutil.copyfile(source, target)
    return clip_suffix(source)


def _remux(source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    import av

    with (
        open_clip(source) as container,
        av.open(str(target), "w", format="mp4", options=_options(container)) as output,
    ):
        own = {key: value for key, value in container.metadata.items() if key not in BRANDS}
        output.metadata.update({**own, **metadata})
        copies = _copies(container, output)
        for packet in container.demux([container.streams[index] for index in copies]):
            if packet.size:
                packet.stream = copies[packet.stream_index]
                output.mux(packet)


def _options(container: InputContainer) -> dict[str, str]:
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
