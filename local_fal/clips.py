"""The clip a job makes from its image, and the odd forms it can come in."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from numpy.typing import NDArray

from vidu.draft.client import clip_size, render_clip

WATERMARK = "LOCAL FAL"
UNTAGGED = "h264_metadata=color_primaries=2:transfer_characteristics=2:matrix_coefficients=2"
INDEX_FIRST = {"movflags": "faststart"}
AUDIO_RATE = 48000
QUARTER_TURN = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)


@dataclass(frozen=True)
class ClipSpec:
    """What a clip looks like.

    Args:
        size: Width and height in pixels; None as Vidu does, 0.92 megapixels in the image's ratio.
        frame_count: How many frames.
    """

    size: tuple[int, int] | None = None
    frame_count: int = 96


def make_clip(
    path: Path,
    first_frame: NDArray[np.uint8],
    seed: int,
    movement_amplitude: str,
    shape: ClipSpec,
    faults: Collection[str],
) -> None:
    """Write an H.264 mp4 made from the image.

    Args:
        path: Where to; it must not exist.
        first_frame: uint8 [H, W, 3].
        seed: Chooses the movement.
        movement_amplitude: auto, small, medium or large.
        shape: Its usual size and length.
        faults: Names in `faults.CLIP` that apply; others are passed over.
    """
    height, width = first_frame.shape[:2]
    size = shape.size or clip_size(width, height)
    if "odd_size" in faults:
        size = (size[0] - 1 + size[0] % 2, size[1] - 1 + size[1] % 2)
    slower = "fps_16" in faults
    render_clip(
        path,
        first_frame,
        seed=seed,
        movement_amplitude=movement_amplitude,
        size=size,
        fps=16 if slower else 24,
        # 62 of 96: 3.875 s at 16 frames a second.
        frame_count=max(1, shape.frame_count * 62 // 96) if slower else shape.frame_count,
        watermark=WATERMARK,
    )
    for name, change in CHANGES.items():
        if name in faults:
            change(path)


def _remux(
    path: Path,
    *,
    options: dict[str, str] = INDEX_FIRST,
    retime: Callable[[int, int], int] = lambda time, _: time,
    audio: bool = False,
    bitstream_filter: str = "null",
) -> None:
    """Write the file anew, its packets as they are but for what is asked."""
    changed = path.with_suffix(".new.mp4")
    with av.open(str(path)) as source, av.open(str(changed), "w", options=options) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        sound = target.add_stream("aac", AUDIO_RATE, layout="stereo") if audio else None
        bitstream = BitStreamFilterContext(bitstream_filter, stream, copy)
        for read in source.demux(stream):
            for packet in bitstream.filter(read if read.size else None):
                assert packet.pts is not None and packet.dts is not None and packet.duration
                packet.pts = retime(packet.pts, packet.duration)
                packet.dts = retime(packet.dts, packet.duration)
                packet.stream = copy
                target.mux(packet)
        if sound is not None:
            assert stream.duration is not None and stream.time_base is not None
            _add_tone(target, sound, float(stream.duration * stream.time_base))
    changed.replace(path)


def _add_tone(target: OutputContainer, sound: AudioStream, seconds: float) -> None:
    samples = np.sin(np.arange(round(seconds * AUDIO_RATE)) * (440 * 2 * np.pi / AUDIO_RATE))
    tone = np.repeat(samples[np.newaxis].astype(np.float32) * 0.2, 2, axis=0)
    frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="stereo")
    frame.sample_rate = AUDIO_RATE
    for part in (frame, None):
        target.mux(sound.encode(part))


def _with_audio(path: Path) -> None:
    _remux(path, audio=True)


def _index_last(path: Path) -> None:
    _remux(path, options={})


def _variable_frame_rate(path: Path) -> None:
    _remux(path, retime=lambda time, frame: time + time // (3 * frame) * frame)


def _untagged_color(path: Path) -> None:
    _remux(path, bitstream_filter=UNTAGGED)
    # The container says it a second time; "free" is the box that says nothing.
    path.write_bytes(path.read_bytes().replace(b"colr", b"free", 1))


def _rotated(path: Path) -> None:
    data = bytearray(path.read_bytes())
    # ISO/IEC 14496-12, 8.3.2: a version 0 tkhd has its matrix 40 bytes into the box.
    header = data.index(b"tkhd") + len(b"tkhd")
    data[header + 40 : header + 76] = struct.pack(">9i", *QUARTER_TURN)
    path.write_bytes(data)


def _cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


CHANGES: dict[str, Callable[[Path], None]] = {
    "with_audio": _with_audio,
    "variable_frame_rate": _variable_frame_rate,
    "untagged_color": _untagged_color,
    "rotated": _rotated,
    "index_last": _index_last,
    "cut_clip": _cut,
}
"""What is done to the finished file, in this order."""
