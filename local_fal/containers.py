"""Odd forms of a finished clip: other containers, codecs, orders, tags; and its sound."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

UNTAGGED = "h264_metadata=colour_primaries=2:transfer_characteristics=2:matrix_coefficients=2"
INDEX_FIRST = {"movflags": "faststart"}
FRAGMENTED = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
HYBRID = {"movflags": "hybrid_fragmented+frag_keyframe"}
AUDIO_RATE = 48000
QUARTER_TURN = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)


def add_tone(path: Path) -> None:
    """Give a clip a sound track, as long as its picture: a tone of 440 Hz in stereo AAC."""
    changed = path.with_suffix(".new.mp4")
    with av.open(str(path)) as source, av.open(str(changed), "w", options=INDEX_FIRST) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        sound = target.add_stream("aac", AUDIO_RATE, layout="stereo")
        assert stream.duration is not None and stream.time_base is not None
        count = round(float(stream.duration * stream.time_base) * AUDIO_RATE)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
        samples = np.sin(np.arange(count) * (440 * 2 * np.pi / AUDIO_RATE)).astype(np.float32) / 5
        tone = np.repeat(samples[np.newaxis], 2, axis=0)
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="stereo")
        frame.sample_rate = AUDIO_RATE
        for part in (frame, None):
            target.mux(sound.encode(part))
    changed.replace(path)


def _remux(
    path: Path,
    *,
    options: dict[str, str] = INDEX_FIRST,
    retime: Callable[[int, int], int] = lambda time, _: time,
    bitstream_filter: str = "null",
) -> Path:
    """Write the file again; only times and tags of its pictures change."""
    changed = path.with_suffix(".new.mp4")
    with av.open(str(path)) as source, av.open(str(changed), "w", options=options) as target:
        video = source.streams.video[0]
        copies = {each: target.add_stream_from_template(each) for each in source.streams}
        bitstream = BitStreamFilterContext(bitstream_filter, video, copies[video])
        for read in source.demux(*copies):
            if read.stream is not video:
                if read.size:
                    read.stream = copies[read.stream]
                    target.mux(read)
                continue
            for packet in bitstream.filter(read if read.size else None):
                assert packet.pts is not None and packet.dts is not None and packet.duration
                packet.pts = retime(packet.pts, packet.duration)
                packet.dts = retime(packet.dts, packet.duration)
                packet.stream = copies[video]
                target.mux(packet)
    changed.replace(path)
    return path


def _move_index_last(path: Path) -> Path:
    return _remux(path, options={})


def _fragment(path: Path) -> Path:
    return _remux(path, options=FRAGMENTED)


def _fragment_under_one_index(path: Path) -> Path:
    return _remux(path, options=HYBRID)


def _vary_frame_rate(path: Path) -> Path:
    return _remux(path, retime=lambda time, frame: time + time // (3 * frame) * frame)


def _remove_color_tags(path: Path) -> Path:
    _remux(path, bitstream_filter=UNTAGGED)
    # The container says it a second time; "free" is the box that says nothing.
    path.write_bytes(path.read_bytes().replace(b"colr", b"free", 1))
    return path


def _rotate(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    # ISO/IEC 14496-12, 8.3.2: a version 0 tkhd has its matrix 40 bytes into the box.
    header = data.index(b"tkhd") + len(b"tkhd")
    data[header + 40 : header + 76] = struct.pack(">9i", *QUARTER_TURN)
    path.write_bytes(data)
    return path


def _cut(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def _to_prores(path: Path) -> Path:
    return _transcode(path, path.with_suffix(".mov"), "prores_ks", "yuv422p10le")


def _to_webm(path: Path) -> Path:
    return _transcode(path, path.with_suffix(".webm"), "libvpx-vp9", "yuv420p")


def _transcode(path: Path, changed: Path, codec: str, pix_fmt: str) -> Path:
    """Write the picture in another codec; the sound is left out."""
    with av.open(str(path)) as source, av.open(str(changed), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream(codec, video.average_rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, pix_fmt
        for frame in source.decode(video):
            target.mux(stream.encode(frame.reformat(format=pix_fmt)))
        target.mux(stream.encode(None))
    path.unlink()
    return changed


CHANGES: dict[str, Callable[[Path], Path]] = {
    "variable_frame_rate": _vary_frame_rate,
    "untagged_color": _remove_color_tags,
    "rotated": _rotate,
    "index_last": _move_index_last,
    "fragmented": _fragment,
    "hybrid_fragmented": _fragment_under_one_index,
    "prores": _to_prores,
    "webm": _to_webm,
    "cut_clip": _cut,
}
"""What is done to the finished file, in this order: the name of a fault, and the change."""
