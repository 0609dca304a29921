"""A finished clip into its place, with its workflow inside."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ..errors import SaveError
from .video import open_mp4

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

CARRIED = ("video", "audio", "subtitle")
"""The kinds of streams an mp4 is remuxed with."""

BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""What libav reports as metadata and is a fact of the old file's layout."""


def save_clip(source: Path, names: Iterator[Path], metadata: Mapping[str, str]) -> Path:
    """Write a clip to the first free name: the same packets, its index first, metadata inside.

    No two keeps ever share a name, in this process or another, and a name never stands for half
    a clip longer than a rename takes.

    Args:
        source: The clip; it is left alone.
        names: Where it may go, in order of preference; all on one file system.
        metadata: Written beside the clip's own, as ComfyUI does: JSON under `workflow`, `prompt`.

    Returns:
        The name that was free.

    Raises:
        SaveError: It could not be written.
    """
    import av

    first = next(names)
    part = first.with_name(f".{uuid4().hex}.part")
    try:
        first.parent.mkdir(parents=True, exist_ok=True)
        _remux(source, part, metadata)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        return rename_to_free_name(part, chain([first], names))
    except (OSError, av.FFmpegError) as error:
        raise SaveError(
            f"The clip could not be written to {first.parent} ({error.strerror})."
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def rename_to_free_name(part: Path, names: Iterator[Path]) -> Path:
    """Rename a file to the first free name, which no other keep takes meanwhile.

    Args:
        part: The whole file.
        names: Where it may go, in order of preference; all on its file system.

    Returns:
        The name that was free.

    Raises:
        SaveError: None was.
        OSError: It could not be renamed.
    """
    for path in names:
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        try:
            return part.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    raise SaveError("None of the names for the clip is free.")


def _remux(source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    import av

    with (
        open_mp4(source) as container,
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
