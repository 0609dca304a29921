"""The one decode of a downloaded clip: check and frames at once."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vidu.errors import ClipTooLargeError, CorruptClipError
from vidu.media import decoder as decoder_module
from vidu.media import video
from vidu.media.decode_turns import DecodeTurns
from vidu.media.decoder import ClipDecoder
from vidu.media.memory import frames_bytes
from vidu.media.probe import probe
from vidu.media.video import DecodeCancelledError, decode, decode_last_frame
from vidu.threads import run_in_thread_until_done

from .test_video import MIRRORED, TURNS, turned

COUNT = 30


@pytest.fixture
def clip(film, noise_frames):
    return film(noise_frames(COUNT), options={"preset": "medium", "crf": "18", "g": "10"})


def decoder(**changes) -> ClipDecoder:
    given = {"frames": True, "last_frame": True, "turns": DecodeTurns()} | changes
    return ClipDecoder(**given)


@pytest.mark.parametrize("every_nth", [1, 2, 7])
@pytest.mark.parametrize("max_frames", [0, 1, 3])
def test_clip_decoder_check_makes_the_frames(every_nth, max_frames, clip):
    one = decoder(every_nth=every_nth, max_frames=max_frames)
    assert one.check(clip) == probe(clip)
    clip.rename(clip.with_name("moved.mp4"))  # nothing is read a second time
    frames, last = one.take(clip)
    expected = decode(clip.with_name("moved.mp4"))
    assert np.array_equal(frames, expected[::every_nth][: max_frames or None])
    assert np.array_equal(last, expected[-1:])


def test_clip_decoder_check_makes_the_last_frame_alone(clip):
    one, expected = decoder(frames=False), decode(clip)
    one.check(clip)
    clip.unlink()  # nothing is read a second time
    frames, last = one.take(clip)
    assert frames is None
    assert np.array_equal(last, expected[-1:])


@pytest.mark.parametrize("matrix", [*TURNS, *MIRRORED])
def test_clip_decoder_frames_are_upright(matrix, film, noise_frames):
    path = film(noise_frames(3))
    turned(path, (TURNS | MIRRORED)[matrix][0])
    one, expected = decoder(), decode(path)
    assert one.check(path) == probe(path)
    for frames, last in (one.take(path), decoder().take(path)):
        assert np.array_equal(frames, expected)
        assert np.array_equal(last, expected[-1:])


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("last_frame", [True, False])
def test_clip_decoder_saved_clip_is_decoded_from_disk(frames, last_frame, clip):
    decoded = decoder(frames=frames, last_frame=last_frame).take(clip)
    expected = decode(clip)
    for wanted, made, right in (
        (frames, decoded.frames, expected),
        (last_frame, decoded.last_frame, expected[-1:]),
    ):
        assert np.array_equal(made, right) if wanted else made is None


def test_clip_decoder_saved_clip_is_decoded_once_for_both_outputs(clip, monkeypatch):
    opened = []
    opened_video = video.opened_video

    def counted(path):
        opened.append(path)
        return opened_video(path)

    monkeypatch.setattr(video, "opened_video", counted)
    decoder().take(clip)
    assert opened == [clip]


def test_clip_decoder_saved_clip_is_decoded_no_further_than_asked(film, noise_frames):
    path = film(noise_frames(80))
    expected = decode(path, max_frames=3)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptClipError):
        decoder(last_frame=False).take(path)
    assert np.array_equal(decoder(last_frame=False, max_frames=3).take(path).frames, expected)


def test_clip_decoder_take_lets_go_of_the_frames(clip):
    one = decoder()
    one.check(clip)
    kept = [weakref.ref(array) for array in one.take(clip)]
    assert [ref() for ref in kept] == [None, None]


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("last_frame", [True, False])
def test_clip_decoder_broken_clip_is_refused(frames, last_frame, clip):
    data = bytearray(clip.read_bytes())
    clip.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(CorruptClipError):
        decoder(frames=frames, last_frame=last_frame).check(clip)


def test_clip_decoder_refused_clip_leaves_no_frames_of_an_earlier_one(clip):
    one = decoder()
    one.check(clip)
    clip.write_bytes(clip.read_bytes()[:-1])
    for reading in (one.check, one.take):
        with pytest.raises(CorruptClipError):
            reading(clip)


def test_clip_decoder_second_download_replaces_the_frames_of_a_broken_first(clip):
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2])
    one = decoder()
    with pytest.raises(CorruptClipError):
        one.check(clip)
    clip.write_bytes(whole)
    one.check(clip)
    assert len(one.take(clip).frames) == COUNT


def test_clip_decoder_frames_that_do_not_fit_are_refused_after_the_check(clip):
    one = decoder(turns=DecodeTurns(available=lambda: 1_000_000))
    assert one.check(clip).frame_count == COUNT
    with pytest.raises(ClipTooLargeError):
        one.take(clip)


@pytest.mark.parametrize(("frames", "last_frame"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("max_frames", [0, 1])
def test_clip_decoder_cancelled_while_it_waits_decodes_nothing(
    frames, last_frame, max_frames, clip, monkeypatch
):
    turns = DecodeTurns(available=lambda: 0)
    one = decoder(frames=frames, last_frame=last_frame, max_frames=max_frames, turns=turns)
    converted = []
    monkeypatch.setattr(video, "write_rgb", lambda *given: converted.append(given))
    with ThreadPoolExecutor() as pool:
        with turns.take(0):
            taken = pool.submit(one.take, clip)
            one.cancel()
        with pytest.raises(DecodeCancelledError):
            taken.result()
    assert converted == []


def test_decode_last_frame_stops_when_told(clip):
    with pytest.raises(DecodeCancelledError):
        decode_last_frame(clip, stop=lambda: True)


@pytest.fixture
def frames_made(monkeypatch) -> list[weakref.ref]:
    """Each array that was made for frames, as long as something holds it."""
    made = []
    empty_frames = video.empty_frames

    def noted(*given):
        frames = empty_frames(*given)
        made.append(weakref.ref(frames))
        return frames

    for module in (video, decoder_module):
        monkeypatch.setattr(module, "empty_frames", noted)
    return made


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("max_frames", [0, COUNT])
@pytest.mark.parametrize("is_new", [True, False])
async def test_clip_decoder_error_holds_no_frames(is_new, max_frames, cores, clip, frames_made):
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 2 // 3])
    one = decoder(max_frames=max_frames, turns=DecodeTurns(cores))
    gc.disable()  # it frees the frames at some later time; memory is short now
    try:
        with pytest.raises(CorruptClipError) as broken:
            await run_in_thread_until_done(one.check if is_new else one.take, clip)
        assert broken.value
        assert frames_made
        assert [frames() for frames in frames_made] == [None] * len(frames_made)
    finally:
        gc.enable()


def test_clip_decoder_refused_memory_leaves_the_clip_whole(clip, monkeypatch):
    """The memory beside the frames may be refused as well, in the middle of a decode."""

    def refused(*given):
        raise MemoryError("Unable to allocate 510. KiB")

    one = decoder()
    monkeypatch.setattr(video, "write_rgb", refused)
    assert one.check(clip).frame_count == COUNT
    with pytest.raises(ClipTooLargeError, match="30 frames of 64 x 48"):
        one.take(clip)


@pytest.mark.parametrize("every_nth", [1, 3, COUNT])
def test_clip_decoder_saved_clip_that_breaks_off_is_refused(every_nth, clip):
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(CorruptClipError):
        decoder(last_frame=False, every_nth=every_nth).take(clip)


def test_decode_last_frame_decodes_from_the_last_key_frame(clip, monkeypatch):
    converted = []
    monkeypatch.setattr(video, "write_rgb", lambda frame, *rest: converted.append(frame.pts))
    decode_last_frame(clip)
    assert len(converted) == 1


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 25])
def test_decode_last_frame_is_the_last_of_all_frames(count, film, noise_frames):
    path = film(noise_frames(count), options={"g": "10", "bf": "3", "crf": "20"})
    assert np.array_equal(decode_last_frame(path), decode(path)[-1:])


def test_frames_bytes_are_those_of_the_array(clip):
    frames = decode(clip)
    assert frames_bytes(64 * 48, COUNT) == frames.nbytes
