"""Drafts of every endpoint, several at once, and one that is cancelled."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidu.builders import extend_video, image_to_video, text_to_video
from vidu.destination import Destination
from vidu.endpoint import SHORT_SIDES
from vidu.endpoints import ENDPOINTS
from vidu.generate import generate
from vidu.media.still_file import check_still
from vidu.media.video import check, decode, decode_last_frame
from vidu.media.video_file import load_video
from vidu.models import Clip
from vidu.progress import Phase, Progress
from vidu.request import Request
from vidu.session import open_session
from vidu.settings import Settings

from ...support.draft_picture import PICTURE, difference
from ...support.least_requests import least_request
from ...support.shots import until


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
    request = extend_video(load_video(source), duration=2)
    clip = await draft_of(request, vidu_home, clips)
    first, last = decode(clip.path, max_frames=1)[0], decode_last_frame(source)[0]
    shrunk = Image.fromarray((last * 255).astype(np.uint8)).resize((clip.width, clip.height))
    upper_half = slice(0, clip.height // 2)  # the mark is below
    assert difference(first[upper_half], np.asarray(shrunk)[upper_half] / 255) < 8 / 255


def draft_run(home: Path, folder: Path, on_progress=None) -> asyncio.Task[Clip]:
    async def run() -> Clip:
        async with open_session(home, Settings(), draft=True) as (provider, ledger):
            request = image_to_video(PICTURE, "A wave.", seed=3)
            return await generate(
                request, provider, ledger, Destination(folder, "a"), on_progress=on_progress
            )

    return asyncio.create_task(run())


async def test_draft_twice_at_once_makes_two_whole_clips(vidu_home, clips):
    made = await asyncio.gather(*(draft_run(vidu_home, clips) for _ in range(3)))
    assert {clip.path.name for clip in made} == {"a_00001.mp4", "a_00002.mp4", "a_00003.mp4"}
    assert sorted(clips.iterdir()) == sorted(clip.path for clip in made)
    assert {check(clip.path).frame_count for clip in made} == {96}
    assert {clip.cost_usd for clip in made} == {0}


async def test_draft_cancelled_stops_drawing_and_leaves_no_file(vidu_home, clips):
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
