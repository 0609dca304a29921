"""A finished clip into its place, with its workflow inside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..destination import Destination
from ..errors import SaveError
from ..files import remove_file
from .video import open_mp4

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

CARRIED = ("video", "audio", "subtitle")
"""The kinds of streams an mp4 is remuxed with."""

BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""What libav reports as metadata and is a fact of the old file's layout."""


def save_clip(source: Path, destination: Destination, metadata: Mapping[str, str]) -> Path:
    """Write a clip to the first free name: the same packets, its index first, metadata inside.

    No two clips ever share a name, in this process or another, and a name never stands for half
    a clip longer than a rename takes.

    Args:
        source: The clip; it is left alone.
        destination: Where it goes.
        metadata: Written beside the clip's own, as ComfyUI does: JSON under `workflow`, `prompt`.

    Returns:
        The name that was free.

    Raises:
        SaveError: It could not be written.
    """
    import av

    part = destination.temporary_path()
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _remux(source, part, metadata)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        return destination.claim(part, ".mp4")
    except (OSError, av.FFmpegError) as error:
        raise SaveError(
            f"The clip could not be written to {destination.folder} ({error.strerror})."
        ) from error
    finally:
        with suppress(OSError):
            remove_file(part)


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
