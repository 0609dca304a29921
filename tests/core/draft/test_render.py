"""The picture of a draft: camera, size, watermark, sound."""

from __future__ import annotations

import av
import numpy as np
import pytest

from vidu.draft.card import render_card
from vidu.draft.render import clip_size
from vidu.media.audio import decode_audio
from vidu.media.video import DecodeCancelledError, check, decode

from ...support.draft_picture import PICTURE, difference


def test_render_clip_writes_h264_with_its_index_first(draw):
    path = draw(fps=16, frame_count=13)
    clip = check(path)
    assert (clip.width, clip.height, clip.fps, clip.frame_count) == (320, 180, 16.0, 13)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_range) == (1, 1)
    film = path.read_bytes()
    assert film.index(b"moov") < film.index(b"mdat")


def test_render_clip_first_frame_is_the_picture(draw):
    assert difference(decode(draw(watermark=""))[0], PICTURE / 255) < 5 / 255


@pytest.mark.parametrize("size", [(180, 180), (320, 90)])
def test_render_clip_of_another_ratio_crops_without_distortion(size, draw):
    width, height = size
    left, top = (320 - width) // 2, (180 - height) // 2
    middle = PICTURE[top : top + height, left : left + width] / 255
    assert difference(decode(draw(size=size, watermark=""))[0], middle) < 5 / 255


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("size", [(320, 180), (180, 320), (64, 64), (640, 160)])
def test_render_clip_marks_every_frame_as_draft(background, size, draw):
    plain = np.full((90, 160, 3), background, np.uint8)
    for frame in decode(draw(picture=plain, size=size)):
        marked = np.abs(frame - background / 255).max(axis=2) > 0.3
        rows, columns = np.nonzero(marked)
        assert marked.mean() > 0.002
        assert np.ptp(columns) > size[0] / 10 and np.ptp(rows) > size[1] / 40


def test_render_clip_with_an_empty_watermark_draws_none(draw):
    plain = np.full((90, 160, 3), 255, np.uint8)
    assert decode(draw(picture=plain, watermark="")).min() > 0.98


def test_render_clip_with_the_same_seed_is_identical(draw):
    clips = {draw(str(number), seed=5).read_bytes() for number in range(5)}
    assert len(clips) == 1


def test_render_clip_with_another_seed_moves_differently(draw):
    lasts = [decode(draw(str(seed), seed=seed))[-1] for seed in range(5)]
    for number, last in enumerate(lasts):
        assert all(difference(last, other) > 0.01 for other in lasts[:number])


def test_render_clip_with_a_larger_amplitude_moves_further(draw):
    moved = {}
    for amplitude in ("small", "medium", "large", "auto"):
        clip = decode(draw(amplitude, movement_amplitude=amplitude, watermark=""))
        moved[amplitude] = difference(clip[0], clip[-1])
    assert 0 < moved["small"] < moved["medium"] < moved["large"]
    assert moved["auto"] == moved["medium"]


@pytest.mark.parametrize("seed", range(6))
def test_render_clip_camera_stays_inside_the_picture(seed, draw):
    """A beyond would be black, or the edge drawn out."""
    plain = np.full((90, 160, 3), 200, np.uint8)
    clip = decode(draw(picture=plain, seed=seed, movement_amplitude="large", watermark=""))
    assert np.abs(clip - 200 / 255).max() < 0.02


@pytest.mark.parametrize("size", [(321, 181), (321, 180), (320, 181), (33, 35)])
def test_render_clip_of_odd_sizes_has_even_sides(size, draw):
    clip = check(draw(size=size))
    assert (clip.width, clip.height) == size


def test_render_clip_of_one_frame_is_a_clip(draw):
    assert len(decode(draw(frame_count=1))) == 1


@pytest.mark.parametrize(
    ("picture", "clip"),
    [
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((1024, 1024), (960, 960)),
        ((1200, 900), (1104, 816)),
        ((900, 1200), (816, 1104)),
        ((4000, 1000), (1920, 480)),
        ((1, 4), (480, 1920)),
    ],
)
def test_clip_size_of_a_picture_is_vidus(picture, clip):
    assert clip_size(*picture) == clip


def test_render_clip_without_a_size_has_vidus(draw):
    clip = check(draw(size=None, frame_count=2))
    assert (clip.width, clip.height) == (1280, 720)


def test_render_clip_fades_into_the_last_frame(draw):
    end = np.full((90, 160, 3), 30, np.uint8)
    clip = decode(draw(last_frame=end, watermark=""))
    assert difference(clip[-1], end[:1, :1] / 255) < 5 / 255
    assert difference(clip[0], PICTURE / 255) < 5 / 255


def test_render_clip_has_sound_as_long_as_the_picture(draw):
    path = draw(has_sound=True, frame_count=24)
    audio = decode_audio(path, 1)
    assert audio.duration_s == pytest.approx(1, abs=0.05)
    assert audio.samples.any()
    assert not check(draw("silent")).has_audio


def test_render_card_shows_the_prompt():
    card = render_card("Waves roll in.", (320, 180), 1)
    assert card.shape == (180, 320, 3)
    assert (card.max(axis=2) > 240).sum() > 100
    assert np.array_equal(card, render_card("Waves roll in.", (320, 180), 1))
    assert not np.array_equal(card, render_card("Birds rise.", (320, 180), 1))


@pytest.mark.parametrize("prompt", ["", " ", "x" * 5000, "word " * 1000, "a\n\nb"])
def test_render_card_any_prompt_fits_somehow(prompt):
    assert render_card(prompt, (320, 180), 1).shape == (180, 320, 3)


def test_render_clip_cancelled_draws_no_further_frame(draw):
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 4

    with pytest.raises(DecodeCancelledError):
        draw(stop=stop)
    assert len(asked) == 4
