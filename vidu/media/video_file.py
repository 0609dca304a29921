"""Video files as they are uploaded: an mp4, named by its frames and its sound."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptClipError, InvalidInputError
from .audio import Audio, decode_audio
from .container import container_format, opened_video
from .h264 import write_mp4
from .image import to_rgb8
from .packets import hash_packets
from .probe import Probe, probe

MOST_FPS_DENOMINATOR = 1001
"""Rates such as 24000/1001 are kept exactly."""


@dataclass(frozen=True)
class EncodedVideo:
    """A video as it is uploaded.

    Args:
        source: The mp4 file that is uploaded as it is, or the bytes of one.
        content_sha256: 64 hex digits that name the video: of the compressed packets of a file (of
            its bytes, where they cannot all be read), or of the 8-bit RGB frames and 16-bit samples
            of one that was encoded here. An encoder may write other bytes in each run, so its bytes
            never name anything.
        width: Pixels.
        height: Pixels.
        duration_s: Seconds.
        size: Bytes of the file.
    """

    source: Path | bytes = field(repr=False)
    content_sha256: str
    width: int
    height: int
    duration_s: float
    size: int

    media_type = "video/mp4"
    suffix = ".mp4"

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


def load_video(path: Path | str) -> EncodedVideo:
    """Return the video in a file: an mp4 as it is, any other container encoded as one.

    Raises:
        InvalidInputError: The file is missing, or not a video.
    """
    path = Path(path)
    try:
        clip = probe(path)
        digest = _content_sha256(path)
        source: Path | bytes = path
        if container_format(path) != "mp4":
            source = _reencoded(path, clip)
    except CorruptClipError as error:
        raise InvalidInputError(
            f"{path} cannot be read as a video: {error.message}", "Use a video file such as an mp4."
        ) from error
    size = path.stat().st_size if isinstance(source, Path) else len(source)
    return EncodedVideo(source, digest, clip.width, clip.height, clip.duration_s, size)


def load_video_part(part: Path, whole: Path, window: tuple[float, float]) -> EncodedVideo:
    """Return a part of a video, held in memory: both files may be removed.

    The part may have been encoded again, so it is named by the packets of the whole and the window.

    Args:
        part: The file with the part, or with all of it.
        whole: The file that it is a part of.
        window: Its start and its length in seconds; zeros for all of it.

    Raises:
        InvalidInputError: See `load_video`.
    """
    video = load_video(part)
    name = _content_sha256(whole)
    if any(window):
        name = hashlib.sha256(f"{name} {window[0]:.6f} {window[1]:.6f}".encode()).hexdigest()
    return replace(video, source=video.data, content_sha256=name)


def encode_video(
    frames: NDArray[np.floating], fps: float, audio: Audio | None = None
) -> EncodedVideo:
    """Return frames and sound as an mp4 that can be uploaded.

    Args:
        frames: [N, H, W, 3], floats in 0..1.
        fps: Frames per second.
        audio: The sound, if there is one.

    Raises:
        InvalidInputError: There are no frames, or some values are not numbers.
    """
    if frames.ndim != 4 or not frames.size or fps <= 0:
        raise InvalidInputError("There are no frames in the video.", "Connect another one.")
    digest = hashlib.sha256(f"{frames.shape}@{fps:.6f}:".encode())

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for frame in frames:
            picture = to_rgb8(frame)
            digest.update(picture.data)
            yield picture

    size = (frames.shape[2], frames.shape[1])
    data = _encoded(pictures(), size, fps, audio)
    if audio:
        digest.update(audio.content_sha256().encode())
    return EncodedVideo(data, digest.hexdigest(), *size, len(frames) / fps, len(data))


def _content_sha256(path: Path) -> str:
    return hash_packets(path) or hashlib.sha256(path.read_bytes()).hexdigest()


def _reencoded(path: Path, clip: Probe) -> bytes:
    def pictures() -> Iterator[NDArray[np.uint8]]:
        with opened_video(path) as (container, stream):
            for frame in container.decode(stream):
                picture = frame.to_ndarray(format="rgb24")
                picture = picture[:, ::-1] if clip.mirrored else picture
                yield np.ascontiguousarray(np.rot90(picture, -clip.rotation // 90))

    audio = decode_audio(path, clip.duration_s) if clip.has_audio else None
    return _encoded(pictures(), (clip.width, clip.height), clip.fps, audio)


def _encoded(
    pictures: Iterator[NDArray[np.uint8]], size: tuple[int, int], fps: float, audio: Audio | None
) -> bytes:
    rate = Fraction(fps).limit_denominator(MOST_FPS_DENOMINATOR)
    with tempfile.TemporaryDirectory() as folder:  # its index cannot be moved first in a buffer
        path = Path(folder, "video.mp4")
        write_mp4(path, pictures, size=size, fps=rate, audio=audio)
        return path.read_bytes()
