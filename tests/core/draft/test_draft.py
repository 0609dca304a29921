from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vidu.builders import extend_video, image_to_video, text_to_video
from vidu.destination import Destination
from vidu.draft.card import render_card
from vidu.draft.render import clip_size, render_clip
from vidu.endpoint import SHORT_SIDES
from vidu.endpoints import ENDPOINTS
from vidu.generate import generate
from vidu.media.audio import decode_audio
from vidu.media.still_file import check_still
from vidu.media.video import DecodeCancelledError, check, decode, decode_last_frame
from vidu.media.video_file import read_video
from vidu.models import Clip
from vidu.progress import Phase, Progress
from vidu.request import Request
from vidu.session import open_session
from vidu.settings import Settings

from ...support.least_requests import least_request
from ...support.shots import until

PICTURE = np.kron(
    np.random.default_rng(3).integers(40, 216, (9, 16, 3), np.uint8), np.ones((20, 20, 1), np.uint8)
)


@pytest.fixture
def draw(tmp_path: Path):
    def write(name: str = "draft", **choices) -> Path:
        path = tmp_path / f"{name}.mp4"
        usual = {"seed": 1, "movement_amplitude": "medium", "size": (320, 180), "frame_count": 12}
        render_clip(path, choices.pop("picture", PICTURE), **{**usual, **choices})
        return path

    return write


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).mean())


def test_it_is_a_real_clip(draw):
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


def test_the_first_frame_is_the_picture(draw):
    assert difference(decode(draw(watermark=""))[0], PICTURE / 255) < 5 / 255


@pytest.mark.parametrize("size", [(180, 180), (320, 90)])
def test_another_ratio_crops_and_never_distorts(size, draw):
    width, height = size
    left, top = (320 - width) // 2, (180 - height) // 2
    middle = PICTURE[top : top + height, left : left + width] / 255
    assert difference(decode(draw(size=size, watermark=""))[0], middle) < 5 / 255


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("size", [(320, 180), (180, 320), (64, 64), (640, 160)])
def test_every_frame_says_draft(background, size, draw):
    plain = np.full((90, 160, 3), background, np.uint8)
    for frame in decode(draw(picture=plain, size=size)):
        marked = np.abs(frame - background / 255).max(axis=2) > 0.3
        rows, columns = np.nonzero(marked)
        assert marked.mean() > 0.002
        assert np.ptp(columns) > size[0] / 10 and np.ptp(rows) > size[1] / 40


def test_no_watermark_when_it_is_empty(draw):
    plain = np.full((90, 160, 3), 255, np.uint8)
    assert decode(draw(picture=plain, watermark="")).min() > 0.98


def test_the_same_seed_gives_the_same_clip(draw):
    clips = {draw(str(number), seed=5).read_bytes() for number in range(5)}
    assert len(clips) == 1


def test_each_seed_moves_its_own_way(draw):
    lasts = [decode(draw(str(seed), seed=seed))[-1] for seed in range(5)]
    for number, last in enumerate(lasts):
        assert all(difference(last, other) > 0.01 for other in lasts[:number])


def test_the_amplitude_is_how_far_it_moves(draw):
    moved = {}
    for amplitude in ("small", "medium", "large", "auto"):
        clip = decode(draw(amplitude, movement_amplitude=amplitude, watermark=""))
        moved[amplitude] = difference(clip[0], clip[-1])
    assert 0 < moved["small"] < moved["medium"] < moved["large"]
    assert moved["auto"] == moved["medium"]


@pytest.mark.parametrize("seed", range(6))
def test_the_camera_never_sees_beyond_the_picture(seed, draw):
    """A beyond would be black, or the edge drawn out."""
    plain = np.full((90, 160, 3), 200, np.uint8)
    clip = decode(draw(picture=plain, seed=seed, movement_amplitude="large", watermark=""))
    assert np.abs(clip - 200 / 255).max() < 0.02


@pytest.mark.parametrize("size", [(321, 181), (321, 180), (320, 181), (33, 35)])
def test_odd_sizes(size, draw):
    clip = check(draw(size=size))
    assert (clip.width, clip.height) == size


def test_one_frame_is_enough(draw):
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
def test_sizes_are_vidus(picture, clip):
    assert clip_size(*picture) == clip


def test_by_default_the_clip_has_vidus_size(draw):
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


# Every endpoint.


async def draft_of(request: Request, home: Path, folder: Path) -> Clip:
    async with open_session(home, Settings(), draft=True) as (provider, ledger):
        return await generate(request, provider, ledger, Destination(folder, "a"))


@pytest.mark.parametrize("endpoint_id", ENDPOINTS)
async def test_draft_of_each_endpoint_is_as_long_and_loud_as_chosen(
    endpoint_id, vidu_home, clips, monkeypatch
):
    small = {name: side // 8 for name, side in SHORT_SIDES.items()}
    monkeypatch.setattr("vidu.draft.drawing.SHORT_SIDES", small)  # a tenth of the time
    request = least_request(endpoint_id)
    endpoint = request.endpoint
    clip = await draft_of(request, vidu_home, clips)
    if endpoint.output == "image":
        assert (clip.path.suffix, clip.fps) == (".png", 0)
        assert check_still(clip.path).width == clip.width
        return
    assert clip.duration_s == pytest.approx(endpoint.output_seconds(request.options))
    assert check(clip.path).has_audio == endpoint.has_sound(request.options)


@pytest.mark.parametrize(
    ("options", "size", "seconds", "has_audio"),
    [
        ({"duration": 2, "resolution": "360p", "aspect_ratio": "9:16"}, (352, 640), 2, True),
        ({"duration": 1, "resolution": "720p", "aspect_ratio": "1:1"}, (960, 960), 1, True),
        ({"duration": 1, "resolution": "1080p", "audio": False}, (1920, 1080), 1, False),
    ],
)
async def test_draft_of_text_honors_its_options(
    options, size, seconds, has_audio, vidu_home, clips
):
    request = text_to_video("A wave breaks.", model="Q3", **options)
    clip = await draft_of(request, vidu_home, clips)
    assert (clip.width, clip.height, clip.duration_s) == (*size, seconds)
    assert check(clip.path).has_audio == has_audio


async def test_draft_of_an_extension_goes_on_from_the_last_frame(vidu_home, clips, draw):
    source = draw("source", watermark="", size=(640, 360), frame_count=100)
    request = extend_video(read_video(source), duration=2)
    clip = await draft_of(request, vidu_home, clips)
    first, last = decode(clip.path, max_frames=1)[0], decode_last_frame(source)[0]
    shrunk = Image.fromarray((last * 255).astype(np.uint8)).resize((clip.width, clip.height))
    upper_half = slice(0, clip.height // 2)  # the mark is below
    assert difference(first[upper_half], np.asarray(shrunk)[upper_half] / 255) < 8 / 255


def test_render_card_shows_the_prompt():
    card = render_card("Waves roll in.", (320, 180), 1)
    assert card.shape == (180, 320, 3)
    assert (card.max(axis=2) > 240).sum() > 100
    assert np.array_equal(card, render_card("Waves roll in.", (320, 180), 1))
    assert not np.array_equal(card, render_card("Birds rise.", (320, 180), 1))


@pytest.mark.parametrize("prompt", ["", " ", "x" * 5000, "word " * 1000, "a\n\nb"])
def test_render_card_any_prompt_fits_somehow(prompt):
    assert render_card(prompt, (320, 180), 1).shape == (180, 320, 3)


# The stand-in at work.


def draft_run(home: Path, folder: Path, on_progress=None) -> asyncio.Task[Clip]:
    async def run() -> Clip:
        async with open_session(home, Settings(), draft=True) as (provider, ledger):
            request = image_to_video(PICTURE, "A wave.", seed=3)
            return await generate(
                request, provider, ledger, Destination(folder, "a"), on_progress=on_progress
            )

    return asyncio.create_task(run())


async def test_equal_drafts_at_once_are_two_whole_clips(vidu_home, clips):
    made = await asyncio.gather(*(draft_run(vidu_home, clips) for _ in range(3)))
    assert {clip.path.name for clip in made} == {"a_00001.mp4", "a_00002.mp4", "a_00003.mp4"}
    assert sorted(clips.iterdir()) == sorted(clip.path for clip in made)
    assert {check(clip.path).frame_count for clip in made} == {96}
    assert {clip.cost_usd for clip in made} == {0}


async def test_a_cancelled_draft_is_drawn_no_further_and_leaves_nothing(vidu_home, clips):
    drawing = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.phase is Phase.GENERATING:
            drawing.set()

    run = draft_run(vidu_home, clips, on_progress)
    await drawing.wait()
    await until(lambda: list(clips.glob(".*")))
    run.cancel()
    await asyncio.wait({run})
    assert run.cancelled()
    assert at_work() == []
    assert list(clips.iterdir()) == []


def at_work() -> list[str]:
    """The functions of the draft that some thread is in."""
    frames = list(sys._current_frames().values())
    names = []
    while frames:
        frame = frames.pop()
        if frame.f_code.co_filename.endswith(("drawing.py", "render.py", "ken_burns.py")):
            names.append(frame.f_code.co_name)
        frames += [frame.f_back] if frame.f_back else []
    return names


def test_a_drawing_that_is_told_to_stop_goes_no_frame_further(draw):
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) == 4

    with pytest.raises(DecodeCancelledError):
        draw(stop=stop)
    assert len(asked) == 4
