"""How much is done for a clip: counts and ratios, which no noise of a machine can change."""

from __future__ import annotations

import asyncio
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

import numpy as np
import pytest

import vidu
from vidu.builders import image_to_video
from vidu.destination import Destination
from vidu.generate import generate
from vidu.media.color import Scratch, write_rgb
from vidu.media.image import encode
from vidu.media.memory import WORKING_SHARE
from vidu.media.mux import write_clip
from vidu.media.probe import read_packets
from vidu.media.video import check, decode
from vidu.session import open_session
from vidu.steps.verify import verify

from ..support.shots import SHORT, run, shot

OURS = str(vidu.__path__[0])


@contextmanager
def counting() -> Iterator[Callable[[Callable[..., object]], int]]:
    """Counts the calls of a function of vidu, here and in all threads begun meanwhile."""
    calls: list[CodeType] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            calls.append(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield lambda function: calls.count(function.__code__)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def peak_bytes(work: Callable[[], object]) -> int:
    """How much more memory Python and numpy held at most while the work was done."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


# What is asked of fal.


async def test_generate_one_clip_takes_five_requests_and_the_polls(fal, vidu_home, clips):
    await run(shot(), vidu_home, clips)
    asked = fal.ledger()["requests"]
    polls = [each for each in asked if "/status?" in each["path"]]
    assert [(each["method"], each["host"]) for each in asked if each not in polls] == [
        ("POST", "rest.fal.ai"),  # a token for the upload
        ("POST", "v3.fal.media"),
        ("POST", "queue.fal.run"),
        ("GET", "queue.fal.run"),
        ("GET", "v3b.fal.media"),
    ]


async def test_generate_several_images_uploads_and_downloads_each_once(fal, vidu_home, clips):
    pictures = [np.full((48, 64, 3), gray, np.uint8) for gray in (10, 20, 30)]
    async with open_session(vidu_home, SHORT) as (provider, ledger):
        await asyncio.gather(
            *(
                generate(
                    image_to_video(picture, "The tide comes in"),
                    provider,
                    ledger,
                    Destination(clips, "tide"),
                    settings=SHORT,
                )
                for picture in pictures
            )
        )
    counts = fal.ledger()["counts"]
    assert counts["submits"] == {"queue.fal.run": 3}
    assert (counts["uploads"], counts["results"], counts["downloads"]) == (3, 3, 3)


# What is done with a clip.


async def test_generate_checks_a_new_clip_once_and_a_saved_one_never(fal, vidu_home, clips):
    with counting() as calls:
        await run(shot(), vidu_home, clips)
        assert (calls(check), calls(write_clip), calls(write_rgb)) == (1, 1, 0)
        assert calls(read_packets) > 0
    with counting() as calls:
        assert (await run(shot(), vidu_home, clips)).reused
        assert (calls(check), calls(write_clip), calls(read_packets)) == (0, 0, 0)
        assert calls(verify) > 0


@pytest.mark.parametrize(
    ("wanted", "converted"),
    [
        ({}, 60),
        ({"every_nth": 7}, 9),
        ({"max_frames": 5}, 5),
        ({"every_nth": 3, "max_frames": 4}, 4),
    ],
    ids=str,
)
def test_decode_converts_no_skipped_frame(wanted, converted, film, noise_frames):
    path = film(noise_frames(60))
    with counting() as calls:
        assert len(decode(path, **wanted)) == converted
        assert calls(write_rgb) == converted
        assert calls(read_packets) == 1


def test_decode_reads_nothing_after_the_last_wanted_frame(film, noise_frames):
    path, asked = film(noise_frames(120)), []
    decode(path, max_frames=2, stop=lambda: asked.append(True))
    assert len(asked) < 120, "asked once for each packet"


# What is allocated.


def test_decode_holds_the_result_and_little_beside_it(film, noise_frames):
    path = film(noise_frames(600))
    decode(path, max_frames=1)  # what is imported late is
    held = peak_bytes(lambda: decode(path))
    assert held <= 600 * 48 * 64 * 3 * 4 * (1 + WORKING_SHARE)


def test_decode_reuses_the_memory_of_the_frame_before(noise_frames):
    frame, *_ = noise_frames(1, 640, 480)
    rgb, scratch = np.empty((480, 640, 3), np.float32), Scratch()
    write_rgb(frame, rgb, scratch)
    assert peak_bytes(lambda: write_rgb(frame, rgb, scratch)) < rgb.nbytes / 10


def test_encode_makes_no_float_copy():
    pixels = np.random.default_rng(3).random((720, 1280, 3), dtype=np.float32)
    encode(pixels[:8])
    assert peak_bytes(lambda: encode(pixels)) < 2 * pixels.nbytes
