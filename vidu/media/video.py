"""The decoding of a clip's file to frames, checked while it is decoded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ClipTooLargeError, CorruptClipError
from .color import Scratch, write_rgb
from .container import check_end, opened_video
from .memory import frames_bytes, free_memory, working_bytes
from .probe import Probe, as_shown, probe, read_packets
from .rotation import as_stored

if TYPE_CHECKING:
    from av import VideoFrame

MOST_THREADS = 8
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
    with opened_frames(path, read_packets(path), stop) as (clip, frames):
        deque(frames, maxlen=0)
    check_end(path, clip.last_frame_ends_s, require_end=require_end)
    return clip


def decode(
    path: Path,
    *,
    every_nth: int = 1,
    max_frames: int = 0,
    threads: int | None = None,
    stop: Stop = never,
    available: Callable[[], int] = free_memory,
) -> NDArray[np.float32]:
    """Decode a clip into one array.

    libav decodes on its own threads while others convert frames, each straight into its place.

    Args:
        path: The clip.
        every_nth: Take frame 0 and every n-th after it; 1 is all.
        max_frames: Take at most this many of those; 0 is all. What follows the last is not decoded.
        threads: How many threads convert frames; None is one for each core.
        stop: Asked between frames, from this thread; when true, the work ends.
        available: The bytes of memory that are free.

    Returns:
        float32 [N, H, W, 3], RGB, 0..1, upright.

    Raises:
        CorruptClipError: Not every frame that the container promises decodes.
        ClipTooLargeError: The frames do not fit into memory.
        DecodeCancelledError: `stop` said so.
    """
    free = available()  # before libav takes its part of what is needed
    with opened_frames(path, read_packets(path), stop) as (clip, decoded):
        picks = range(0, clip.frame_count, every_nth)[: max_frames or None]
        frames = empty_frames(clip, len(picks), free)
        places = as_stored(frames, clip.rotation, mirrored=clip.mirrored)
        targets = {index: [places[number]] for number, index in enumerate(picks)}
        needed = islice(decoded, picks[-1] + 1) if max_frames else decoded
        convert(needed, targets, threads=threads or os.cpu_count() or 1)
    return frames


def decode_last_frame(path: Path, *, stop: Stop = never) -> NDArray[np.float32]:
    """Decode a clip's last frame, from the last key frame on.

    Args:
        path: The clip.
        stop: Asked between frames, from this thread; when true, the work ends.

    Returns:
        float32 [1, H, W, 3], RGB, 0..1, upright.

    Raises:
        CorruptClipError: It does not decode.
        DecodeCancelledError: `stop` said so.
    """
    clip = probe(path)
    last: VideoFrame | None = None
    with opened_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        end = int(clip.last_frame_ends_s / (stream.time_base or 1))
        container.seek(end, stream=stream)
        for frame in container.decode(stream):
            if stop():
                raise DecodeCancelledError
            last = frame
    if last is None:
        raise CorruptClipError("The last frame of the clip does not decode.")
    frames = np.empty((1, clip.height, clip.width, 3), np.float32)
    write_rgb(last, as_stored(frames, clip.rotation, mirrored=clip.mirrored)[0], Scratch())
    return frames


def needed_bytes(clip: Probe, count: int) -> int:
    """Return the memory that decoding so many frames of a clip takes, the result included."""
    frames = frames_bytes(clip.width * clip.height, count)
    return frames + working_bytes(frames)


def empty_frames(clip: Probe, count: int, available: int) -> NDArray[np.float32]:
    """Return room for frames of a clip.

    Raises:
        ClipTooLargeError: They do not fit into memory.
    """
    needed = needed_bytes(clip, count)
    if needed > available:
        raise ClipTooLargeError(
            f"Its {count} frames of {clip.width} x {clip.height} need {needed / 1e9:.1f} GB of "
            f"memory, and {available / 1e9:.1f} GB are free."
        )
    return np.empty((count, clip.height, clip.width, 3), np.float32)


@contextmanager
def opened_frames(
    path: Path, stored: Probe, stop: Stop
) -> Iterator[tuple[Probe, Iterator[VideoFrame]]]:
    """Open a clip and yield what it is made of and its frames.

    Args:
        path: The clip.
        stored: What `read_packets` read from it.
        stop: Asked between frames, from this thread.

    Raises:
        CorruptClipError: Not every frame that the container promises decodes; the iterator raises
            it, at its end at the latest.
        ClipTooLargeError: The system refuses the memory for what is done with the frames.
        DecodeCancelledError: `stop` said so.
    """
    try:
        with closing(_frames(path, stored.frame_count, stop)) as frames:
            first = next(frames, None)
            if first is None:
                raise CorruptClipError("No frame of the clip decodes.")
            yield as_shown(stored, first), chain([first], frames)
    except MemoryError as error:  # a limit of the process, or Windows' on what it promises
        raise ClipTooLargeError(
            f"The system refuses the memory for {stored.frame_count} frames of "
            f"{stored.width} x {stored.height}."
        ) from error


def convert(
    frames: Iterable[VideoFrame],
    targets: Mapping[int, list[NDArray[np.float32]]],
    *,
    threads: int,
) -> None:
    """Write some of a clip's frames into their places.

    Args:
        frames: The clip's frames; all of them are taken.
        targets: By the number of a frame, where it goes: float32 [H, W, 3] as it is stored.
        threads: How many threads convert frames; with 1, this thread does.
    """
    work = _with_places(frames, targets)
    if threads > 1:
        return _convert_in_threads(work, min(threads, MOST_THREADS))
    scratch = Scratch()
    for frame, place in work:
        write_rgb(frame, place, scratch)


def _with_places(
    frames: Iterable[VideoFrame], targets: Mapping[int, list[NDArray[np.float32]]]
) -> Iterator[tuple[VideoFrame, NDArray[np.float32]]]:
    for index, frame in enumerate(frames):
        for place in targets.get(index, ()):
            yield frame, place


def _convert_in_threads(
    work: Iterable[tuple[VideoFrame, NDArray[np.float32]]], threads: int
) -> None:
    """Convert each frame into its place; libav decodes the next ones meanwhile."""
    scratches = [Scratch() for _ in range(threads + 1)]
    under_way: deque[Future[None]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for number, (frame, place) in enumerate(work):
            if number >= len(scratches):  # the oldest conversion has what this one needs
                under_way.popleft().result()
            scratch = scratches[number % len(scratches)]
            under_way.append(pool.submit(write_rgb, frame, place, scratch))
        for conversion in under_way:
            conversion.result()


def _frames(path: Path, frame_count: int, stop: Stop) -> Generator[VideoFrame, None, None]:
    """Yield each frame, and raise `CorruptClipError` unless as many as promised decode."""
    decoded, size = 0, None
    with opened_video(path) as (container, stream):
        stream.thread_type = "AUTO"
        for packet in container.demux(stream):
            if stop():
                raise DecodeCancelledError
            if packet.is_corrupt:
                raise CorruptClipError(f"The clip breaks off in frame {decoded + 1} or soon after.")
            for frame in packet.decode():
                decoded += 1
                size = size or (frame.width, frame.height)
                if frame.is_corrupt or (frame.width, frame.height) != size:
                    raise CorruptClipError(f"Frame {decoded} of the clip is broken.")
                yield frame
    if decoded != frame_count:
        raise CorruptClipError(
            f"The clip promises {frame_count} frames, and {decoded} of them decode."
        )
