"""The turns in which clips are decoded: how many at a time, and with which threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidu.media import video
from vidu.media.decode_turns import MOST_AT_ONCE, DecodeTurns
from vidu.media.decoder import ClipDecoder
from vidu.media.memory import free_memory
from vidu.media.probe import probe
from vidu.media.video import decode, needed_bytes

SOON_S, LATE_S = 0.2, 10
COUNT = 12


def turns(cores: int = 8, free: int = 1000) -> DecodeTurns:
    return DecodeTurns(cores, available=lambda: free)


class NotedTurns(DecodeTurns):
    """Turns that note what each decode says it needs."""

    def __init__(self) -> None:
        super().__init__()
        self.needs: list[int] = []

    def take(self, needed_bytes: int) -> AbstractContextManager[int]:
        self.needs.append(needed_bytes)
        return super().take(needed_bytes)


@pytest.fixture
def clip(film, noise_frames):
    return film(noise_frames(COUNT))


@pytest.fixture
def wait_for_turn() -> Iterator:
    """Waits for a turn in a thread of its own; returns what is set once it has begun."""
    with ThreadPoolExecutor() as pool:

        def start(given: DecodeTurns, needed_bytes: int) -> threading.Event:
            begun = threading.Event()

            def work() -> None:
                with given.take(needed_bytes):
                    begun.set()

            pool.submit(work)
            return begun

        yield start


@pytest.mark.parametrize(("cores", "shares"), [(1, [1, 1]), (2, [2, 1]), (3, [3, 1]), (8, [8, 4])])
def test_take_gives_all_cores_to_a_clip_alone_and_half_to_one_that_joins(cores, shares):
    given = turns(cores)
    with ExitStack() as taken:
        assert [taken.enter_context(given.take(0)) for _ in shares] == shares
    with given.take(0) as threads:
        assert threads == cores, "nobody holds a turn any more"


@pytest.mark.parametrize(("cores", "share"), [(6, 6), (None, 1)])
def test_take_by_itself_shares_the_cores_and_the_memory_of_the_machine(cores, share, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    given = DecodeTurns()
    with given.take(0) as threads:
        assert (threads, given.available) == (share, free_memory)


def test_take_third_clip_waits_for_the_end_of_one(wait_for_turn):
    given = turns()
    with given.take(0):
        with given.take(0):
            third = wait_for_turn(given, 0)
            assert not third.wait(SOON_S)
        assert third.wait(LATE_S)


def test_take_waits_when_memory_does_not_hold_both(wait_for_turn):
    given = turns(free=1000)
    with given.take(600):
        larger, smaller = wait_for_turn(given, 401), wait_for_turn(given, 400)
        assert smaller.wait(LATE_S)
        assert not larger.wait(SOON_S)
    assert larger.wait(LATE_S)


def test_take_counts_the_memory_of_the_clip_that_goes_on(wait_for_turn):
    given = turns(free=1000)
    with ExitStack() as first:
        first.enter_context(given.take(100))
        with given.take(900):
            first.close()
            larger, smaller = wait_for_turn(given, 101), wait_for_turn(given, 100)
            assert smaller.wait(LATE_S)
            assert not larger.wait(SOON_S)
        assert larger.wait(LATE_S)


def test_take_clip_that_fits_begins_though_a_larger_one_waits_longer(wait_for_turn):
    given = turns(free=1000)
    with given.take(600):
        with given.take(100):
            larger = wait_for_turn(given, 500)
            assert not larger.wait(SOON_S)
            smaller = wait_for_turn(given, 100)
            assert not smaller.wait(SOON_S)
        assert smaller.wait(LATE_S)
        assert not larger.is_set()
    assert larger.wait(LATE_S)


def test_take_alone_never_waits():
    with turns(free=0).take(10**12) as threads:
        assert threads == 8


def test_take_failed_decode_ends_its_turn():
    given = turns()
    for _ in range(MOST_AT_ONCE + 1):
        with pytest.raises(ValueError, match="broken"), given.take(900):
            raise ValueError("broken")


@settings(max_examples=20, deadline=None)
@given(needs=st.lists(st.integers(0, 1200), min_size=1, max_size=12), free=st.integers(0, 2000))
def test_take_every_clip_gets_its_turn_and_memory_holds_those_under_way(needs, free):
    given, lock = turns(free=free), threading.Lock()
    under_way: list[int] = []
    wrong: list[list[int]] = []

    def work(needed: int) -> None:
        with given.take(needed):
            with lock:
                under_way.append(needed)
                fits = len(under_way) == 1 or sum(under_way) <= free
                if len(under_way) > MOST_AT_ONCE or not fits:
                    wrong.append(list(under_way))
            time.sleep(0.002)  # or no two would meet
            with lock:
                under_way.remove(needed)

    with ThreadPoolExecutor(len(needs)) as pool:
        for each in [pool.submit(work, needed) for needed in needs]:
            each.result(LATE_S)
    assert not wrong


def test_clip_decoders_that_share_turns_make_the_frames_of_each(film, noise_frames):
    paths = [film(noise_frames(40, 320, 240), name=f"clip{index}.mp4") for index in range(5)]
    given = turns(cores=2, free=10**9)
    decoders = [ClipDecoder(frames=True, last_frame=True, turns=given) for _ in paths]
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(ClipDecoder.check, decoders, paths))
    for decoder, path in zip(decoders, paths, strict=True):
        frames, last = decoder.take(path)
        expected = decode(path)
        assert np.array_equal(frames, expected) and np.array_equal(last, expected[-1:])


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"frames": True, "last_frame": True}, COUNT + 1),
        ({"frames": True, "last_frame": False}, COUNT),
        ({"frames": False, "last_frame": True}, 1),
        ({"frames": True, "last_frame": True, "every_nth": 5}, 3 + 1),
        ({"frames": True, "last_frame": False, "max_frames": 3}, 3),
    ],
)
def test_clip_decoder_turn_is_for_the_memory_of_what_is_asked_for(asked, count, clip):
    turns, needed = NotedTurns(), needed_bytes(probe(clip), count)
    one = ClipDecoder(**asked, turns=turns)
    one.check(clip)
    one.take(clip)
    assert turns.needs == [needed]
    ClipDecoder(**asked, turns=turns).take(clip)
    assert turns.needs == [needed, needed]


def test_clip_decoder_check_alone_takes_its_turn(clip):
    turns = NotedTurns()
    one = ClipDecoder(frames=False, last_frame=False, turns=turns)
    one.check(clip)
    assert turns.needs == [0]
    one.take(clip)
    assert turns.needs == [0]


@pytest.mark.parametrize("reading", [ClipDecoder.check, ClipDecoder.take])
@pytest.mark.parametrize("cores", [1, 4])
def test_clip_decoder_converts_in_the_threads_of_its_turn(cores, reading, clip, monkeypatch):
    threads = set()
    monkeypatch.setattr(video, "write_rgb", lambda *_: threads.add(threading.current_thread().name))
    reading(ClipDecoder(frames=True, last_frame=True, turns=DecodeTurns(cores)), clip)
    here = threading.current_thread().name
    assert (threads == {here}) if cores == 1 else (here not in threads)


@pytest.mark.parametrize("reading", [ClipDecoder.check, ClipDecoder.take])
def test_clip_decoder_free_memory_is_that_before_the_decode(reading, clip, monkeypatch):
    events = []
    opened_video = video.opened_video

    def opened(path):
        events.append("decode")
        return opened_video(path)

    def available() -> int:
        events.append("free memory")
        return 10**9

    monkeypatch.setattr(video, "opened_video", opened)
    turns = DecodeTurns(available=available)
    reading(ClipDecoder(frames=True, last_frame=True, turns=turns), clip)
    assert events == ["free memory", "decode"]
