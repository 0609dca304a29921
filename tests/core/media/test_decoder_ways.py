"""Each way through the check of `ClipDecoder`: with frames, without, and without the memory."""

from __future__ import annotations

import numpy as np
import pytest

from vidu.errors import ClipTooLargeError, CorruptClipError
from vidu.media.decode_turns import DecodeTurns
from vidu.media.decoder import ClipDecoder
from vidu.media.video import DecodeCancelledError, decode_last_frame

from .test_container import FRAGMENTED, cut_at_fragment, encode

COUNT = 30
LITTLE = 1_000_000
"""Bytes of free memory in which no frame fits."""

WAYS = {
    "frames": {"last_frame": False},
    "last frame": {"frames": False},
    "neither": {"frames": False, "last_frame": False},
    "no memory": {"turns": DecodeTurns(available=lambda: LITTLE)},
}
"""Each way through `check`."""


@pytest.fixture
def clip(film, noise_frames):
    return film(noise_frames(COUNT))


def decoder(**changes) -> ClipDecoder:
    given = {"frames": True, "last_frame": True, "turns": DecodeTurns()} | changes
    return ClipDecoder(**given)


@pytest.mark.parametrize("way", WAYS)
def test_clip_decoder_clip_cut_at_a_fragment_is_refused_without_a_size(way, film, noise_frames):
    options = {"g": "10", "crf": "20", "preset": "medium"}
    path = film(noise_frames(COUNT), options=options, movflags=FRAGMENTED)
    one = decoder(**WAYS[way])
    assert one.check(path, require_end=True).frame_count == COUNT
    cut_at_fragment(path)
    assert one.check(path).frame_count < COUNT  # its size was told, and agreed
    with pytest.raises(CorruptClipError, match="breaks off after"):
        one.check(path, require_end=True)


@pytest.mark.parametrize("way", WAYS)
def test_clip_decoder_whole_webm_of_no_told_size_passes(way, tmp_path):
    path = tmp_path / "clip.webm"
    encode(path, "libvpx", "yuv420p")
    assert decoder(**WAYS[way]).check(path, require_end=True).frame_count == 12


def test_clip_decoder_last_frame_alone_is_taken_whatever_memory_is_free(clip):
    one = decoder(frames=False, turns=DecodeTurns(available=lambda: LITTLE))
    one.check(clip)
    assert np.array_equal(one.take(clip).last_frame, decode_last_frame(clip))


@pytest.mark.parametrize("way", WAYS)
def test_clip_decoder_cancelled_check_ends(way, clip):
    one = decoder(**WAYS[way])
    one.cancel()
    with pytest.raises(DecodeCancelledError):
        one.check(clip)


def test_clip_decoder_cancelled_decode_of_a_saved_clip_ends(clip):
    one = decoder()
    one.cancel()
    with pytest.raises(DecodeCancelledError):
        one.take(clip)


def test_clip_decoder_cancelled_check_of_frames_that_do_not_fit_ends(clip, monkeypatch):
    def cancel_and_refuse(*_: object) -> None:
        one.cancel()
        raise ClipTooLargeError("They do not fit.")

    one = decoder()
    monkeypatch.setattr("vidu.media.decoder.empty_frames", cancel_and_refuse)
    with pytest.raises(DecodeCancelledError):
        one.check(clip)
