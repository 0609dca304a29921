"""Files that are cut, damaged, or no clip at all."""

from __future__ import annotations

import av
import numpy as np
import pytest

from vidu.errors import CorruptClipError
from vidu.media.probe import probe
from vidu.media.video import check, decode


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("movflags", ["faststart", ""], ids=["index first", "index last"])
def test_check_truncated_clip_is_refused(share, movflags, film, noise_frames):
    path = film(noise_frames(30), movflags=movflags)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    for reading in (check, decode):
        with pytest.raises(CorruptClipError):
            reading(path)


@pytest.mark.parametrize("missing", [1, 10, 200])
def test_check_clip_without_its_last_bytes_is_refused(missing, film, noise_frames):
    path = film(noise_frames(30))
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(CorruptClipError):
        check(path)


def test_check_clip_whose_tail_is_zeros_is_refused(film, noise_frames):
    path = film(noise_frames(30))
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes(len(whole) - half))
    with pytest.raises(CorruptClipError):
        check(path)


def test_check_frames_without_bytes_are_counted(film, noise_frames):
    """Every sample the index names is there but the last ones, which begin behind the end."""
    path = film(noise_frames(30))
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: places[14]])
    with pytest.raises(CorruptClipError, match=r"promises 30 frames, and 14 of them decode"):
        decode(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><title>404</title>",
        bytes(range(256)) * 40,
        b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41",
        b"#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1:1/segment.ts\n",
        b"ffconcat version 1.0\nfile other.mp4\n",
    ],
    ids=["empty", "html", "garbage", "only a header", "playlist", "list of files"],
)
def test_check_file_that_is_no_clip_is_refused(content, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    for reading in (probe, check, decode):
        with pytest.raises(CorruptClipError):
            reading(path)


def test_check_missing_file_is_refused(tmp_path):
    with pytest.raises(CorruptClipError, match="cannot be opened"):
        probe(tmp_path / "clip.mp4")


def test_check_sound_alone_is_refused(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", 44100, layout="mono")
        samples = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        samples.sample_rate = 44100
        container.mux(stream.encode(samples))
        container.mux(stream.encode(None))
    with pytest.raises(CorruptClipError, match="no video"):
        probe(path)


def test_check_whole_clip_passes(film, noise_frames):
    path = film(noise_frames(30))
    assert check(path) == probe(path)
