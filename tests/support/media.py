"""Media for requests, made on the spot: images in variants, videos, voices."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field

import av
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileMedium:
    """A video or a voice as it is uploaded, named by its bytes."""

    data: bytes = field(repr=False)
    media_type: str
    suffix: str
    width: int = 0
    height: int = 0
    duration_s: float = 0.0

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def content_sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def image_pixels(*, decoder: int = 0) -> NDArray[np.float32]:
    """A ramp of 64 x 48 pixels, as one of several decoders reads it.

    Args:
        decoder: 0 reads the values exactly; any other is off by one step in 255 at some pixels.
    """
    ramp = np.linspace(0.1, 0.9, 64, dtype=np.float32)
    pixels = np.tile(ramp[None, :, None], (48, 1, 3))
    if decoder:
        steps = np.random.default_rng(decoder).integers(-1, 2, pixels.shape)
        pixels = pixels + steps.astype(np.float32) / 255
    return pixels


def video_medium(seconds: float = 4.0) -> FileMedium:
    """A gray H.264 clip of 160 x 128 pixels."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", 24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        gray = np.full((128, 160, 3), 90, np.uint8)
        for _ in range(round(seconds * 24)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
        container.mux(stream.encode(None))
    return FileMedium(file.getvalue(), "video/mp4", ".mp4", 160, 128, seconds)


def mp3_tone(seconds: float) -> bytes:
    """A tone as MP3."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", 44100, layout="mono")
        tone = np.sin(np.arange(round(seconds * 44100), dtype=np.float32) / 30)[np.newaxis]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def voice_medium(seconds: float = 4.0) -> FileMedium:
    """A tone as a voice."""
    return FileMedium(mp3_tone(seconds), "audio/mpeg", ".mp3", duration_s=seconds)
