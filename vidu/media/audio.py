"""Sound: out of a clip's file into samples, and samples into a voice that is uploaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptClipError, InvalidInputError

if TYPE_CHECKING:
    from av import AudioFrame

SILENCE_RATE, SILENCE_CHANNELS = 44100, 2
"""What the silence of a clip without sound has."""

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""What an mp3 can have; other rates are resampled to 44100."""

INT16 = 32767


@dataclass(frozen=True)
class Audio:
    """Sound as samples.

    Args:
        samples: float32 [C, T], -1..1.
        sample_rate: Samples per second.
    """

    samples: NDArray[np.float32] = field(repr=False)
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """How long it lasts, in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)

    @property
    def layout(self) -> str:
        """libav's name for one or two channels; more are mixed down to two."""
        return "mono" if len(self.samples) == 1 else "stereo"

    def to_frame(self) -> AudioFrame:
        """Return the sound as one frame of planar floats, in one or two channels."""
        import av

        samples = self.samples
        if len(samples) > 2:
            samples = np.repeat(samples.mean(axis=0, keepdims=True), 2, axis=0)
        planes = np.ascontiguousarray(samples, np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=self.layout)
        frame.sample_rate = self.sample_rate
        return frame

    def content_sha256(self) -> str:
        """Return 64 hex digits of the samples at 16 bits: the name of what is heard."""
        channels, count = self.samples.shape
        rounded = np.rint(self.samples.clip(-1, 1) * INT16).astype("<i2")
        digest = hashlib.sha256(f"{channels}x{count}@{self.sample_rate}:".encode())
        digest.update(np.ascontiguousarray(rounded).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class EncodedAudio:
    """A voice as it is uploaded: an mp3, named by its samples.

    Args:
        data: The file's bytes.
        content_sha256: See `Audio.content_sha256`.
        duration_s: Seconds.
    """

    data: bytes = field(repr=False)
    content_sha256: str
    duration_s: float

    media_type = "audio/mpeg"
    suffix = ".mp3"
    width = 0
    height = 0

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.data)


def decode_audio(path: Path, duration_s: float) -> Audio:
    """Return the sound of a clip, or silence as long as the clip where it has none.

    Args:
        path: The clip.
        duration_s: How long the clip lasts, in seconds.

    Raises:
        CorruptClipError: It cannot be decoded.
    """
    import av

    from .container import open_clip

    try:
        with open_clip(path) as container:
            audio = _decode(container)
    except av.FFmpegError as error:
        raise CorruptClipError(
            f"The sound of the clip cannot be decoded ({error.strerror})."
        ) from error
    if audio is None:
        count = max(1, round(duration_s * SILENCE_RATE))
        return Audio(np.zeros((SILENCE_CHANNELS, count), np.float32), SILENCE_RATE)
    return audio


def load_audio(path: Path | str) -> EncodedAudio:
    """Return the sound in a file, of any kind that PyAV reads, as it is uploaded.

    Raises:
        InvalidInputError: The file is missing, or has no sound that decodes.
    """
    import av

    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            audio = _decode(container)
    except (OSError, ValueError, av.FFmpegError) as error:
        raise InvalidInputError(
            f"{path} cannot be read as sound ({getattr(error, 'strerror', None) or error}).",
            "Use an mp3, wav, flac, m4a or ogg file.",
        ) from error
    if audio is None:
        raise InvalidInputError(f"{path} has no sound.", "Use another file.")
    return encode_audio(audio)


def encode_audio(audio: Audio) -> EncodedAudio:
    """Return samples as an mp3 that can be uploaded.

    Raises:
        InvalidInputError: There are no samples, or some of them are not numbers.
    """
    import av

    if audio.samples.ndim != 2 or not audio.samples.size or audio.sample_rate <= 0:
        raise InvalidInputError("There is no sound in the audio.", "Connect another one.")
    if not np.isfinite(audio.samples.sum()):
        raise InvalidInputError(
            "The audio holds samples that are not numbers (NaN).", "Connect another one."
        )
    rate = audio.sample_rate if audio.sample_rate in MP3_RATES else SILENCE_RATE
    file = BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate, layout=audio.layout)
        stream.bit_rate = 192_000 if rate >= 32000 else 64_000
        resampler = av.AudioResampler(stream.format, stream.layout, rate)
        for frame in (*resampler.resample(audio.to_frame()), *resampler.resample(None)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return EncodedAudio(file.getvalue(), audio.content_sha256(), audio.duration_s)


def _decode(container: Any) -> Audio | None:
    """Return the sound of an opened file, from time 0 on; None where it has none."""
    import av

    stream = container.streams.best("audio")
    if stream is None or stream.codec_context is None:
        return None
    resampler = av.AudioResampler("fltp")
    parts: list[NDArray[np.float32]] = []
    for frame in container.decode(stream):
        if not parts and frame.time and frame.time > 0:  # it begins later than the picture
            late = round(frame.time * frame.sample_rate)
            parts.append(np.zeros((frame.layout.nb_channels, late), np.float32))
        parts += [_samples(resampled) for resampled in resampler.resample(frame)]
    parts += [_samples(resampled) for resampled in resampler.resample(None)]
    return Audio(np.concatenate(parts, axis=1), int(stream.sample_rate)) if parts else None


def _samples(frame: AudioFrame) -> NDArray[np.float32]:
    return frame.to_ndarray().astype(np.float32, copy=False)
