"""What a run holds of its clips and its media once nobody can ask for it any more."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from pathlib import Path

import pytest

NODE = "FalViduImageToVideo"


@pytest.fixture
def no_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.collect()


def noted(monkeypatch, cls) -> list[weakref.ref]:
    """Each object of a class that is made from now on."""
    made: list[weakref.ref] = []
    init = cls.__init__

    def noting(self, *given, **named):
        init(self, *given, **named)
        made.append(weakref.ref(self))

    monkeypatch.setattr(cls, "__init__", noting)
    return made


def alive(made: list[weakref.ref]) -> int:
    return sum(each() is not None for each in made)


@pytest.fixture
def frames_made(pack, monkeypatch) -> list[weakref.ref]:
    made: list[weakref.ref] = []
    empty_frames = pack.vidu.media.video.empty_frames

    def noting(*given):
        frames = empty_frames(*given)
        made.append(weakref.ref(frames))
        return frames

    for module in (pack.vidu.media.video, pack.vidu.media.decoder):
        monkeypatch.setattr(module, "empty_frames", noting)
    return made


async def test_execute_error_of_one_shot_holds_no_frames_of_the_others(
    execute, asked, fal, pack, frames_made, no_gc
):
    fal.set_faults("content_policy_violation:1")
    with pytest.raises(pack.vidu.errors.ShotsFailedError) as failed:
        await execute(NODE, slots=(0, 3), **asked(prompt=["One.", "Two.", "Three."]))
    assert len(frames_made) == 4
    assert failed.value.failures
    assert alive(frames_made) == 0


async def test_execute_clip_that_is_not_saved_holds_no_frames_while_others_are_made(
    execute, asked, fal, pack, frames_made, monkeypatch, no_gc
):
    retrieve = pack.vidu.steps.retrieve
    save, saving, go_on, refused = retrieve._save, threading.Event(), threading.Event(), []

    def save_but_the_first(*given):
        if not refused:
            refused.append(given)
            with retrieve._wrap_os_errors():
                raise OSError(28, "No space left on device")
        saving.set()
        assert go_on.wait(20)
        return save(*given)

    monkeypatch.setattr(retrieve, "_save", save_but_the_first)
    running = asyncio.ensure_future(
        execute(NODE, slots=(0,), **asked(prompt=["One.", "Two."], on_error=["skip"]))
    )
    assert await asyncio.to_thread(saving.wait, 20)
    for _ in range(200):
        if alive(frames_made) == 1:
            break
        await asyncio.sleep(0.05)
    while_the_other_is_made = alive(frames_made)
    go_on.set()
    output = await running
    assert len(output.result[0]) == 1
    assert while_the_other_is_made == 1


async def test_execute_one_clip_that_is_not_saved_holds_no_frames(
    execute, asked, fal, pack, frames_made, monkeypatch, no_gc
):
    monkeypatch.setattr(pack.vidu.steps.retrieve, "_save", full_disk)
    with pytest.raises(pack.vidu.errors.ViduError) as failed:
        await execute(NODE, slots=(0,), **asked())
    assert failed.value
    assert len(frames_made) == 1
    assert alive(frames_made) == 0


async def test_execute_saved_clip_that_is_not_saved_again_holds_no_frames(
    execute, asked, fal, pack, frames_made, monkeypatch, no_gc
):
    made = (await execute(NODE, slots=(), **asked())).result
    await asyncio.to_thread(Path(made[1][0]).unlink)
    monkeypatch.setattr(pack.vidu.steps.retrieve, "_save", full_disk)
    with pytest.raises(pack.vidu.errors.ViduError) as failed:
        await execute("FalViduSavedClip", slots=(0,), request_id=made[6][0])
    assert failed.value
    assert len(frames_made) == 1
    assert alive(frames_made) == 0


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_execute_cancelled_while_a_clip_is_saved_holds_no_frames(
    execute, asked, fal, pack, frames_made, monkeypatch, no_gc
):
    host = pack.nodes.host.runs
    retrieve = pack.vidu.steps.retrieve
    save, saving, go_on = retrieve._save, threading.Event(), threading.Event()

    def slow(*given):
        saving.set()
        go_on.wait(0.3)
        return save(*given)

    monkeypatch.setattr(retrieve, "_save", slow)
    running = asyncio.ensure_future(execute(NODE, slots=(0,), **asked()))
    await asyncio.to_thread(saving.wait, 20)
    monkeypatch.setattr(host, "processing_interrupted", lambda: True)
    with pytest.raises(host.InterruptProcessingException) as interrupted:
        await running
    assert interrupted.value
    assert alive(frames_made) == 0


async def test_execute_leaves_no_request_and_no_picture_behind(
    execute, asked, fal, pack, monkeypatch, no_gc
):
    requests = noted(monkeypatch, pack.vidu.request.Request)
    pictures = noted(monkeypatch, pack.vidu.media.image.EncodedImage)
    await execute(NODE, slots=(), **asked(prompt=["One.", "Two."]))
    await asyncio.sleep(0)
    assert (len(requests), len(pictures)) == (2, 1)
    assert (alive(requests), alive(pictures)) == (0, 0)
