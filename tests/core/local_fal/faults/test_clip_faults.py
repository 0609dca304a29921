"""Faults of the clip itself: codecs, frames, color tags, audio."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from ....support.local_fal_calls import FRAMES, opened


@pytest.fixture
def clip(client, result) -> Callable[[], bytes]:
    return lambda: client.get(result().json()["video"]["url"]).content


def test_clip_without_faults_is_h264_with_its_index_first(fal, clip):
    data = clip()
    with opened(data) as container:
        (stream,) = container.streams
        assert (stream.width, stream.height) == (64, 36)
        assert stream.average_rate == 24
        assert stream.codec_context.colorspace == 1
        assert len(list(container.decode(stream))) == FRAMES
    assert data.index(b"moov") < data.index(b"mdat")


def test_cut_clip_decodes_in_part(fal, client, result):
    fal.set_faults("cut_clip:1")
    video = result().json()["video"]
    data = client.get(video["url"]).content
    assert len(data) == video["file_size"]
    decoded = 0
    with opened(data) as container, suppress(av.FFmpegError):
        assert container.streams.video[0].frames == FRAMES
        for _ in container.decode(video=0):
            decoded += 1
    assert decoded < FRAMES


def test_clip_with_audio_has_an_audible_track(fal, clip):
    fal.set_faults("with_audio:1")
    with opened(clip()) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert len(list(container.decode(video=0))) == FRAMES
    # The tone is there, and can be heard.
    fal.set_faults("with_audio:1")
    with opened(clip()) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert sound.max() > 0.1


def test_fps_16_has_fewer_frames(fal, clip):
    fal.set_faults("fps_16:1")
    with opened(clip()) as container:
        assert container.streams.video[0].average_rate == 16
        assert len(list(container.decode(video=0))) == FRAMES * 62 // 96


def test_clip_of_odd_size_has_odd_sides(fal, clip):
    fal.set_faults("odd_size:1")
    with opened(clip()) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (63, 35)


def test_index_last_has_moov_after_mdat(fal, clip):
    fal.set_faults("index_last:1")
    data = clip()
    assert data.index(b"mdat") < data.index(b"moov")
    with opened(data) as container:
        assert len(list(container.decode(video=0))) == FRAMES


def test_variable_frame_rate_shows_every_third_frame_longer(fal, clip):
    fal.set_faults("variable_frame_rate:1")
    with opened(clip()) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    gaps = [later - earlier for earlier, later in pairwise(shown)]
    assert gaps == [Fraction(1 + (index % 3 == 2), 24) for index in range(FRAMES - 1)]


def test_rotated_carries_a_quarter_turn(fal, clip):
    fal.set_faults("rotated:1")
    with opened(clip()) as container:
        assert abs(next(container.decode(video=0)).rotation) == 90


def test_untagged_color_has_unspecified_tags(fal, clip):
    fal.set_faults("untagged_color:1")
    with opened(clip()) as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        assert {context.colorspace, context.color_primaries, context.color_trc} == {2}
        assert frame.colorspace == 2


@pytest.mark.parametrize("fault", ["fragmented", "hybrid_fragmented"])
def test_fragmented_clip_decodes_whole(fal, clip, fault):
    fal.set_faults(f"{fault}:1")
    data = clip()
    assert data.count(b"moof") > 1 if fault == "fragmented" else b"moof" not in data[:16]
    with opened(data) as container:
        assert len(list(container.decode(video=0))) == FRAMES


@pytest.mark.parametrize(
    ("fault", "codec", "kind"),
    [("prores", "prores", "video/quicktime"), ("webm", "vp9", "video/webm")],
)
def test_clip_of_another_codec_decodes_whole(fal, client, result, fault, codec, kind):
    fal.set_faults(f"{fault}:1")
    video = result().json()["video"]
    assert video["content_type"] == kind
    with opened(client.get(video["url"]).content) as container:
        assert container.streams.video[0].codec_context.name.startswith(codec)
        assert len(list(container.decode(video=0))) == FRAMES


def test_still_instead_serves_a_png(fal, client, result):
    fal.set_faults("still_instead:1")
    video = result().json()["video"]
    assert video["content_type"] == "image/png"
    assert Image.open(io.BytesIO(client.get(video["url"]).content)).size == (64, 36)
