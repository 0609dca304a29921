"""The description of a clip: size, frames, rate, length, sound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptClipError
from .container import opened_video
from .rotation import orientation

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MICROSECONDS = 1_000_000
"""libav's unit for a container's duration, in one second."""


@dataclass(frozen=True)
class Probe:
    """What a clip, or a still, is made of.

    Args:
        width: As shown, after rotation, in pixels; `read_packets` alone gives it as stored.
        height: The same.
        fps: Frames per second; the average where the rate varies; 0 for a still.
        frame_count: How many frames the file holds, or promises; 1 for a still.
        duration_s: Seconds; 0 for a still.
        has_audio: Whether there is an audio stream.
        rotation: Degrees clockwise from the stored frames to the shown ones: 0, 90, 180 or 270.
        mirrored: Whether the stored frames are mirrored, left to right, before they are rotated.
        last_frame_ends_s: When the last frame ends, in seconds.
    """

    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    has_audio: bool = False
    rotation: int = 0
    mirrored: bool = False
    last_frame_ends_s: float = 0.0


def probe(path: Path) -> Probe:
    """Read a clip's packets and decode its first frame.

    Raises:
        CorruptClipError: There is no video in the file, or its first frame does not decode.
    """
    with opened_video(path) as (container, stream):
        first = next(container.decode(stream), None)
    if first is None:
        raise CorruptClipError("No frame of the clip decodes.")
    return as_shown(read_packets(path), first)


def read_packets(path: Path) -> Probe:
    """Return what a clip's packets tell; the size is as stored, before rotation.

    Raises:
        CorruptClipError: There is no video in the file.
    """
    with opened_video(path) as (container, stream):
        with_bytes, discarded, end = 0, 0, 0
        for packet in container.demux(stream):
            if packet.size:
                with_bytes += 1
                discarded += packet.is_discard
                end = max(end, (packet.pts or 0) + (packet.duration or 0))
        # A file with fragments counts only a part of its frames in its header.
        frame_count = max(stream.frames, with_bytes) - discarded
        duration_s = _duration_s(container, stream)
        rate = stream.average_rate or (frame_count / duration_s if duration_s else 0)
        return Probe(
            width=stream.width,
            height=stream.height,
            fps=float(rate),
            frame_count=frame_count,
            duration_s=duration_s,
            has_audio=bool(container.streams.audio),
            last_frame_ends_s=float(end * (stream.time_base or 0)),
        )


def as_shown(stored: Probe, first: VideoFrame) -> Probe:
    """Return what a clip is made of, its size and orientation as its first frame tells."""
    rotation, mirrored = orientation(first)
    size = (first.width, first.height) if rotation % 180 == 0 else (first.height, first.width)
    return replace(stored, width=size[0], height=size[1], rotation=rotation, mirrored=mirrored)


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / MICROSECONDS
