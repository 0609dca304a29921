"""A clip's description and its frames: order, count, rate, rotation, memory."""

from __future__ import annotations

import gc
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from vidu.errors import ClipTooLargeError
from vidu.media.color import write_rgb
from vidu.media.probe import probe
from vidu.media.video import MOST_THREADS, DecodeCancelledError, check, decode

ROOT = Path(__file__).resolve().parents[3]
FIXED_ONE = 1 << 16
TURNS = {  # the display matrix's a, b, c, d; how numpy does the same; degrees clockwise
    "upright": ((1, 0, 0, 1), lambda picture: picture, 0),
    "90": ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1), 90),
    "180": ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2), 180),
    "270": ((0, -1, 1, 0), lambda picture: np.rot90(picture, 1), 270),
}
MIRRORED = {
    "left to right": ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda picture: picture[::-1]),
    "transposed": ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
    "transposed the other way": (
        (0, -1, -1, 0),
        lambda picture: picture.swapaxes(0, 1)[::-1, ::-1],
    ),
}


def turned(path, matrix) -> None:
    """Write a display matrix into the track header of a film."""
    a, b, c, d = (entry * FIXED_ONE for entry in matrix)
    film = path.read_bytes()
    place = film.index(b"tkhd") + 4 + 40  # version 0: ISO/IEC 14496-12, 8.3.2
    entries = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(film[:place] + entries + film[place + len(entries) :])


def test_check_returns_the_clips_description(film, noise_frames):
    clip = probe(film(noise_frames(30), rate=16))
    assert (clip.width, clip.height, clip.fps, clip.frame_count) == (64, 48, 16.0, 30)
    assert clip.duration_s == pytest.approx(30 / 16)
    assert (clip.has_audio, clip.rotation) == (False, 0)


def test_decode_returns_float32_frames_in_order(film, noise_frames):
    frames = noise_frames(12)
    decoded = decode(film(frames, options={"preset": "medium", "crf": "1"}))
    assert (decoded.shape, decoded.dtype) == ((12, 48, 64, 3), np.float32)
    assert decoded.min() >= 0 and decoded.max() <= 1
    for index, frame in enumerate(frames):
        shown = frame.to_ndarray(format="rgb24") / 255
        distances = np.abs(decoded - shown).mean(axis=(1, 2, 3))
        assert distances.argmin() == index


def test_decode_of_a_clip_with_audio_returns_its_frames(film, noise_frames):
    silent = decode(film(noise_frames(10), name="silent.mp4"))
    path = film(noise_frames(10), audio=True)
    assert probe(path).has_audio
    assert probe(path).frame_count == 10
    assert np.array_equal(decode(path), silent)


def test_decode_with_the_index_last_returns_every_frame(film, noise_frames):
    path = film(noise_frames(10), movflags="")
    assert path.read_bytes().index(b"mdat") < path.read_bytes().index(b"moov")
    assert len(decode(path)) == 10


def test_check_fragmented_file_counts_every_frame(film, noise_frames):
    path = film(noise_frames(10), movflags="frag_keyframe+empty_moov")
    assert check(path).frame_count == 10
    assert len(decode(path)) == 10


def test_check_frames_cut_by_an_edit_list_are_not_missed(film, noise_frames):
    path = film(noise_frames(10))
    every_frame = decode(path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        ticks = round(1 / (stream.time_base * 24))
    film_bytes = bytearray(path.read_bytes())
    media_time = film_bytes.index(b"elst") + 4 + 12  # ISO/IEC 14496-12, 8.6.6.2
    film_bytes[media_time : media_time + 4] = struct.pack(">i", 4 * ticks)
    path.write_bytes(film_bytes)
    assert check(path).frame_count == 6
    assert np.array_equal(decode(path), every_frame[4:])


def test_check_variable_frame_rate_returns_the_average(film, noise_frames):
    times = [0, 1, 2, 3, 4, 10, 20, 30, 40, 50]
    clip = probe(film(noise_frames(10), times=times))
    assert clip.frame_count == 10
    assert clip.fps == pytest.approx(clip.frame_count / clip.duration_s)
    assert clip.duration_s >= 50 / 24


@pytest.mark.parametrize("turn", TURNS)
def test_decode_applies_the_rotation(turn, film, noise_frames):
    matrix, by_numpy, degrees = TURNS[turn]
    path = film(noise_frames(3))
    stored = decode(path)
    turned(path, matrix)
    expected = np.stack([by_numpy(picture) for picture in stored])
    clip = probe(path)
    assert clip.rotation == degrees
    assert (clip.height, clip.width) == expected.shape[1:3]
    assert np.array_equal(decode(path), expected)


@pytest.mark.parametrize("mirroring", MIRRORED)
def test_decode_applies_the_mirroring(mirroring, film, noise_frames):
    matrix, by_numpy = MIRRORED[mirroring]
    path = film(noise_frames(3))
    expected = np.stack([by_numpy(picture) for picture in decode(path)])
    turned(path, matrix)
    assert np.array_equal(decode(path), expected)
    assert probe(path).mirrored
    assert (probe(path).height, probe(path).width) == expected.shape[1:3]


@pytest.mark.parametrize("every_nth", [1, 2, 3, 10, 11])
@pytest.mark.parametrize("max_frames", [0, 1, 4, 10, 99])
def test_decode_with_a_selection_returns_those_frames(every_nth, max_frames, film, noise_frames):
    path = film(noise_frames(10))
    some = decode(path, every_nth=every_nth, max_frames=max_frames)
    assert np.array_equal(some, decode(path)[::every_nth][: max_frames or None])


def test_decode_converts_no_skipped_frame(film, noise_frames):
    path = film(noise_frames(20))
    converted = 0

    def count(frame, event, argument):
        nonlocal converted
        converted += event == "call" and frame.f_code is write_rgb.__code__

    threading.setprofile(count)
    try:
        decode(path, every_nth=4, max_frames=3)
    finally:
        threading.setprofile(None)
    assert converted == 3


def test_decode_beyond_memory_is_refused_with_the_numbers(film, noise_frames):
    path = film(noise_frames(10))
    with pytest.raises(ClipTooLargeError) as caught:
        decode(path, available=lambda: 50_000_000)
    assert "10 frames of 64 x 48 need 0.1 GB of memory, and 0.1 GB are free" in str(caught.value)
    assert len(decode(path, available=lambda: 90_000_000)) == 10


def test_decode_of_fewer_frames_needs_less_memory(film, noise_frames):
    path = film(noise_frames(4, 1280, 720))
    free = 80_000_000 + 2 * 1280 * 720 * 12
    with pytest.raises(ClipTooLargeError):
        decode(path, available=lambda: free)
    assert len(decode(path, max_frames=1, available=lambda: free)) == 1
    assert len(decode(path, every_nth=4, available=lambda: free)) == 1


DECODE_WITH_LITTLE_ADDRESS_SPACE = """
import resource, sys
from pathlib import Path
from vidu.errors import ClipTooLargeError
from vidu.media.video import decode

path = Path(sys.argv[1])
decode(path, max_frames=1)  # what has to be loaded is loaded
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 200_000_000
unlimited = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (most, unlimited[1]))
try:
    decode(path)
except ClipTooLargeError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, unlimited)
print(len(decode(path)))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_decode_says_what_is_too_much_where_the_system_refuses_memory(film, noise_frames):
    path = film(noise_frames(20, 1280, 720), options={"preset": "ultrafast", "crf": "30"})
    command = [sys.executable, "-c", DECODE_WITH_LITTLE_ADDRESS_SPACE, str(path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.run(command, env=environ, capture_output=True, text=True)
    refused, count = child.stdout.splitlines() or [child.stderr, ""]
    assert "refuses the memory for 20 frames of 1280 x 720" in refused
    assert count == "20"


def test_decode_cancelled_stops(film, noise_frames):
    path = film(noise_frames(60))
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == 20

    with pytest.raises(DecodeCancelledError):
        decode(path, stop=stop)
    assert asked == 20


def test_decode_holds_few_frames_at_once(film, noise_frames):
    """The memory that decoding needs beside its result does not grow with the clip."""
    path = film(noise_frames(80))
    under_way = most = 0

    def watch(frame, event, argument):
        nonlocal under_way, most
        if frame.f_code is write_rgb.__code__:
            under_way += (event == "call") - (event == "return")
            most = max(most, under_way)

    threading.setprofile(watch)
    try:
        decode(path)
    finally:
        threading.setprofile(None)
    assert 1 <= most <= MOST_THREADS


def test_decode_frees_each_frame_after_its_conversion(film, noise_frames):
    """PyAV's frames hold megabytes, and a cycle through one would wait for the collector."""
    path = film(noise_frames(60))
    alive = []

    def stop() -> bool:
        alive.append(sum(type(thing) is av.VideoFrame for thing in gc.get_objects()))
        return False

    gc.collect()
    before = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    gc.disable()
    try:
        decode(path, stop=stop)
    finally:
        gc.enable()
    assert 1 <= max(alive) - before <= (os.cpu_count() or 1) + 4


def test_decode_allocates_little_beside_its_result(film, noise_frames):
    path = film(noise_frames(24, 1280, 720), options={"preset": "ultrafast", "crf": "30"})
    tracemalloc.start()
    try:
        result = decode(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.nbytes <= peak <= 1.08 * result.nbytes + 40_000_000
