"""The decoding of a clip's file to frames, checked while it is decoded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ClipTooLargeError, CorruptClipError
from .color import Scratch, write_rgb
from .container import check_end, opened_video
from .memory import frames_bytes, free_memory, working_bytes
from .probe import Probe, probe
from .rotation import as_stored

if TYPE_CHECKING:
    from av import VideoFrame

MOST_WORKERS = 8
"""Threads that convert; more of them only wait for libav, and hold frames meanwhile."""

Stop = Callable[[], bool]


class Check(Protocol):
    """What tells whether a downloaded file is whole: `check` does, and `ClipDecoder.check`."""

    def __call__(self, path: Path, *, require_end: bool) -> Probe:
        """Return what the file is made of, or raise CorruptClipError."""


class DecodeCancelledError(Exception):
    """The decoding was told to stop."""


def never() -> bool:
    """Return False: the work goes on."""
    return False


def check(path: Path, *, require_end: bool = False, stop: Stop = never) -> Probe:
    """Decode every frame and return what the clip is made of.

    Args:
        path: The clip.
        require_end: Whether the file has to show its own end, because nobody told its size.
        stop: Asked between frames, from this thread; when true, the work ends.

    Raises:
        CorruptClipError: Not every frame that the container promises decodes.
        DecodeCancelledError: `stop` said so.
    """
    clip = probe(path)
    deque(_frames(path, clip, stop), maxlen=0)
    check_end(path, clip.last_frame_ends_s, require_end=require_end)
    return clip


def decode(
    path: Path,
    *,
    every_nth: int = 1,
    max_frames: int = 0,
    stop: Stop = never,
    available: Callable[[], int] = free_memory,
) -> NDArray[np.float32]:
    """Decode a clip into one array.

    libav decodes on its own threads while others convert frames, each straight into its place.

    Args:
        path: The clip.
        every_nth: Take frame 0 and every n-th after it; 1 is all.
        max_frames: Take at most this many of those; 0 is all. What follows the last is not decoded.
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
    frames = empty_frames(clip, len(picks), available())
    places = as_stored(frames, clip.rotation, mirrored=clip.mirrored)
    targets = {index: [places[number]] for number, index in enumerate(picks)}
    convert(path, clip, targets, stop, until=picks[-1] if max_frames else None)
    return frames


def decode_last_frame(path: Path) -> NDArray[np.float32]:
    """Decode a clip's last frame, from the last key frame on.

    Returns:
        float32 [1, H, W, 3], RGB, 0..1, upright.

    Raises:
        CorruptClipError: It does not decode.
    """
    clip = probe(path)
    last: VideoFrame | None = None
    with opened_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        end = int(clip.last_frame_ends_s / (stream.time_base or 1))
        container.seek(end, stream=stream)
        for frame in container.decode(stream):
            last = frame
    if last is None:
        raise CorruptClipError("The last frame of the clip does not decode.")
    frames = np.empty((1, clip.height, clip.width, 3), np.float32)
    write_rgb(last, as_stored(frames, clip.rotation, mirrored=clip.mirrored)[0], Scratch())
    return frames


def empty_frames(clip: Probe, count: int, available: int) -> NDArray[np.float32]:
    """Return room for frames of a clip.

    Raises:
        ClipTooLargeError: They do not fit into memory.
    """
    frames = frames_bytes(clip.width * clip.height, count)
    needed = frames + working_bytes(frames)
    if needed > available:
        raise ClipTooLargeError(
            f"Its {count} frames of {clip.width} x {clip.height} need {needed / 1e9:.1f} GB of "
            f"memory, and {available / 1e9:.1f} GB are free."
        )
    return np.empty((count, clip.height, clip.width, 3), np.float32)


def convert(
    path: Path,
    clip: Probe,
    targets: Mapping[int, list[NDArray[np.float32]]],
    stop: Stop,
    *,
    until: int | None = None,
) -> None:
    """Decode a clip and write some of its frames into their places.

    Args:
        path: The clip.
        clip: What `probe` read from it.
        targets: By the number of a frame, where it goes: float32 [H, W, 3] as it is stored.
        stop: Asked between frames, from this thread.
        until: The last frame that is needed; None decodes, and so checks, all of them.

    Raises:
        CorruptClipError: Not every frame that the container promises decodes.
        DecodeCancelledError: `stop` said so.
    """
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    scratches = [Scratch() for _ in range(workers + 1)]
    under_way: deque[Future[None]] = deque()
    number = 0
    with ThreadPoolExecutor(workers) as pool:
        for index, frame in enumerate(_frames(path, clip, stop)):
            for place in targets.get(index, ()):
                if number >= len(scratches):  # the oldest conversion has what this one needs
                    under_way.popleft().result()
                scratch = scratches[number % len(scratches)]
                under_way.append(pool.submit(write_rgb, frame, place, scratch))
                number += 1
            if index == until:
                break
        for conversion in under_way:
            conversion.result()


def _frames(path: Path, clip: Probe, stop: Stop) -> Iterator[VideoFrame]:
    """Yield each frame, and raise `CorruptClipError` unless they are what was promised."""
    decoded, size = 0, sorted((clip.width, clip.height))
    with opened_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            if stop():
                raise DecodeCancelledError
            if packet.is_corrupt:
                raise CorruptClipError(f"The clip breaks off in frame {decoded + 1} or soon after.")
            for frame in packet.decode():
                decoded += 1
                if frame.is_corrupt or sorted((frame.width, frame.height)) != size:
                    raise CorruptClipError(f"Frame {decoded} of the clip is broken.")
                yield frame
    if decoded != clip.frame_count:
        raise CorruptClipError(
            f"The clip promises {clip.frame_count} frames, and {decoded} of them decode."
        )
