"""A clip's file into frames, and what it is made of."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ClipTooLargeError, CorruptClipError
from .color import Scratch, write_rgb
from .rotation import as_stored, orientation

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

# av is imported where it is used: it takes a good part of a second that ComfyUI's start has not.

WORKING_SHARE, WORKING_BYTES = 0.08, 80_000_000
"""What decoding needs beside the frames it returns."""

MOST_WORKERS = 8
"""Threads that convert; more of them only wait for libav, and hold frames meanwhile."""

CLOCK_ROUNDING_S = 0.002
"""How much the steps of an even rate may differ, in seconds: some clocks count milliseconds."""

MICROSECONDS = 1_000_000
"""libav's unit for a container's duration, in one second."""


class DecodeCancelledError(Exception):
    """The decoding was told to stop."""


@dataclass(frozen=True)
class Probe:
    """What a clip is made of.

    Args:
        width: As shown, after rotation, in pixels.
        height: As shown, after rotation, in pixels.
        fps: FrameSelection per second; the average where the rate varies.
        frame_count: How many frames the container promises.
        duration_s: Seconds.
        has_audio: Whether there is an audio stream.
        variable_frame_rate: Whether some frames stand longer than others.
        rotation: Degrees clockwise from the stored frames to the shown ones: 0, 90, 180 or 270.
        mirrored: Whether the stored frames are mirrored, left to right, before they are rotated.
    """

    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    has_audio: bool
    variable_frame_rate: bool
    rotation: int
    mirrored: bool


def probe(path: Path) -> Probe:
    """Read a clip's index and its first frame.

    Raises:
        CorruptClipError: There is no video in the file, or its first frame does not decode.
    """
    with _opened(path) as (container, stream):
        first, times, discarded = None, [], 0
        for packet in container.demux(stream):
            if first is None:
                first = next(iter(packet.decode()), None)
            if packet.size:
                times.append(packet.pts)
                discarded += packet.is_discard
        if first is None:
            raise CorruptClipError(f"No frame of {path.name} decodes.")
        frame_count = (stream.frames or len(times)) - discarded
        duration_s = _duration_s(container, stream)
        rate = stream.average_rate or (frame_count / duration_s if duration_s else 0)
        rotation, mirrored = orientation(first)
        size = (first.width, first.height) if rotation % 180 == 0 else (first.height, first.width)
        return Probe(
            width=size[0],
            height=size[1],
            fps=float(rate),
            frame_count=frame_count,
            duration_s=duration_s,
            has_audio=bool(container.streams.audio),
            variable_frame_rate=_varies(times, stream),
            rotation=rotation,
            mirrored=mirrored,
        )


def check(path: Path) -> Probe:
    """Decode every frame and return what the clip is made of.

    Raises:
        CorruptClipError: Not every frame that the container promises decodes.
    """
    clip = probe(path)
    deque(_frames(path, clip, never), maxlen=0)
    return clip


def never() -> bool:
    """Tell that the work goes on."""
    return False


def free_memory() -> int:
    """Return how many bytes can be taken without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)


def decode(
    path: Path,
    *,
    every_nth: int = 1,
    max_frames: int = 0,
    stop: Callable[[], bool] = never,
    available: Callable[[], int] = free_memory,
) -> NDArray[np.float32]:
    """Decode a clip into one array.

    libav decodes on its own threads while others convert frames, each straight into its place.

    Args:
        path: The clip.
        every_nth: Take frame 0 and every n-th after it; 1 is all.
        max_frames: Take at most so many of those; 0 is all. What follows the last is not decoded.
        stop: Asked between frames, from this thread; when true, the work ends.
        available: The bytes of memory that are free.

    Returns:
        float32 [N, H, W, 3], RGB, 0..1, upright.

    Raises:
        CorruptClipError: Not every frame that the container promises decodes.
        ClipTooLargeError: The frames do not fit into memory.
        DecodeCancelledError: `stop` said so.
    """
    clip = probe(path)
    picks = range(0, clip.frame_count, every_nth)[: max_frames or None]
    shape = (len(picks), clip.height, clip.width, 3)
    _check_fits(shape, available())
    result = np.empty(shape, np.float32)
    places = as_stored(result, clip.rotation, mirrored=clip.mirrored)
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    scratches = [Scratch() for _ in range(workers + 1)]
    under_way: deque[Future[None]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for index, frame in enumerate(_frames(path, clip, stop)):
            if index in picks:
                number = index // every_nth
                if number >= len(scratches):  # the oldest conversion has what this one needs
                    under_way.popleft().result()
                scratch = scratches[number % len(scratches)]
                under_way.append(pool.submit(write_rgb, frame, places[number], scratch))
            if max_frames and index == picks[-1]:
                break
        for conversion in under_way:
            conversion.result()
    return result


def _check_fits(shape: tuple[int, ...], free: int) -> None:
    needed = math.prod(shape) * 4 * (1 + WORKING_SHARE) + WORKING_BYTES
    if needed > free:
        count, height, width, _ = shape
        raise ClipTooLargeError(
            f"Its {count} frames of {width} x {height} need {needed / 1e9:.1f} GB of memory, "
            f"and {free / 1e9:.1f} GB are free."
        )


def _frames(path: Path, clip: Probe, stop: Callable[[], bool]) -> Iterator[VideoFrame]:
    """Yield each frame of a clip; raise `CorruptClipError` unless all promised ones decode."""
    decoded, size = 0, sorted((clip.width, clip.height))
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            if stop():
                raise DecodeCancelledError
            if packet.is_corrupt:
                raise CorruptClipError(
                    f"{path.name} breaks off in frame {decoded + 1} or soon after."
                )
            for frame in packet.decode():
                decoded += 1
                if frame.is_corrupt or sorted((frame.width, frame.height)) != size:
                    raise CorruptClipError(f"Frame {decoded} of {path.name} is broken.")
                yield frame
    if decoded != clip.frame_count:
        raise CorruptClipError(
            f"{path.name} promises {clip.frame_count} frames, and {decoded} of them decode."
        )


def open_mp4(path: Path) -> InputContainer:
    """Open an mp4 file for reading, whatever bytes its metadata holds.

    PyAV before 19 raises UnicodeDecodeError for metadata that is not UTF-8 unless it is told to
    escape it; PyAV 19 always escapes it and no longer knows the argument.

    Raises:
        av.FFmpegError: It cannot be opened.
    """
    import av

    escaped: dict[str, Any] = (
        {"metadata_errors": "surrogateescape"} if _major_version(av) < 19 else {}
    )
    # The format is named because libav would also open a playlist and fetch what it points to.
    container: InputContainer = av.open(str(path), "r", format="mp4", **escaped)
    return container


def _major_version(av: ModuleType) -> int:
    return int(av.__version__.partition(".")[0])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    import av

    try:
        with open_mp4(path) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
                raise CorruptClipError(f"{path.name} has no video stream that can be decoded.")
            yield container, stream
    except av.FFmpegError as error:
        raise CorruptClipError(
            f"{path.name} cannot be read as a video ({error.strerror})."
        ) from error


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / MICROSECONDS


def _varies(times: list[int | None], stream: VideoStream) -> bool:
    shown = sorted(time for time in times if time is not None)
    steps = [later - earlier for earlier, later in pairwise(shown)]
    return bool(steps) and (max(steps) - min(steps)) * (stream.time_base or 0) > CLOCK_ROUNDING_S
