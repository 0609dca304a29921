"""Real mp4s of every kind, made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

LOSSLESS = {"qp": "0", "preset": "ultrafast"}


def yuv_frame(planes: Sequence[np.ndarray], pix_fmt: str) -> av.VideoFrame:
    """A frame with exactly these codes in it."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, codes in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        raw = np.ascontiguousarray(codes).view(np.uint8)
        rows[:, : raw.shape[1]] = raw
        plane.update(rows)
    return frame


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Writes frames to an mp4, losslessly unless told otherwise."""

    def write(
        frames: Iterable[av.VideoFrame],
        *,
        matrix: int = 1,
        full_range: bool = False,
        rate: int = 24,
        times: Sequence[int] | None = None,
        audio: bool = False,
        encoder: str = "libx264",
        options: dict[str, str] = LOSSLESS,
        movflags: str = "faststart",
        name: str = "film.mp4",
    ) -> Path:
        frames = list(frames)
        path = tmp_path / name
        kind = "mov" if path.suffix == ".mov" else "mp4"
        muxing = {"movflags": movflags} if movflags else {}
        with av.open(str(path), "w", format=kind, options=muxing) as container:
            stream = container.add_stream(encoder, rate, options=options)
            context = stream.codec_context
            context.width, context.height = frames[0].width, frames[0].height
            context.pix_fmt = frames[0].format.name
            context.colorspace, context.color_range = matrix, 2 if full_range else 1
            sound = container.add_stream("aac", 44100, layout="mono") if audio else None
            for index, frame in enumerate(frames):
                frame.pts = times[index] if times else index
                frame.time_base = Fraction(1, rate)
                frame.colorspace, frame.color_range = context.colorspace, context.color_range
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound:
                tone = np.sin(np.arange(44100, dtype=np.float32) / 30)[np.newaxis]
                samples = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                samples.sample_rate = 44100
                container.mux(sound.encode(samples))
                container.mux(sound.encode(None))
        return path

    return write


def noise_frames(count: int, width: int = 64, height: int = 48) -> list[av.VideoFrame]:
    """Frames that differ from each other everywhere."""
    rng = np.random.default_rng(7)
    return [
        yuv_frame(
            [
                rng.integers(16, 236, (height, width), np.uint8),
                rng.integers(90, 160, (height // 2, width // 2), np.uint8),
                rng.integers(90, 160, (height // 2, width // 2), np.uint8),
            ],
            "yuv420p",
        )
        for _ in range(count)
    ]


@pytest.fixture(name="noise_frames")
def noise_frames_fixture() -> Callable[..., list[av.VideoFrame]]:
    return noise_frames


@pytest.fixture(name="yuv_frame")
def yuv_frame_fixture() -> Callable[..., av.VideoFrame]:
    return yuv_frame
