"""A shot that another machine began or made: resumed, not cancelled, found, fetched or named."""

from __future__ import annotations

import asyncio
import shutil
import socket
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger

from vidu.destination import Destination
from vidu.errors import ClipGoneError
from vidu.models import Entry, State
from vidu.progress import Phase, Progress

from ...support.shots import interrupted, jobs_of, run, shot


@pytest.fixture
def at(monkeypatch):
    """Makes this process another machine."""

    def at(name: str) -> None:
        monkeypatch.setattr(socket, "gethostname", lambda: name)

    return at


@pytest.fixture
def begun(fal, shared_ledger, at, tmp_path):
    """Begins a shot on one machine, which then dies, and goes on as another."""

    async def begin() -> None:
        at("anna-pc")
        folder = tmp_path / "anna"
        await interrupted(shot(), folder, folder, Phase.GENERATING, by_user=False)
        at("render-2")

    return begin


def only_row(home: Path) -> Entry:
    with BlockingLedger.open(home) as ledger:
        (row,) = ledger.entries()
    return row


async def test_generate_on_another_machine_resumes_what_one_has_left(begun, fal, tmp_path, clips):
    await begun()
    assert only_row(tmp_path / "two").host == "anna-pc"
    clip = await run(shot(), tmp_path / "two", clips)
    assert clip.path.is_file()
    assert len(jobs_of(fal, shot())) == 1
    row = only_row(tmp_path / "two")
    assert (row.state, row.host, row.file.path) == (State.SAVED, "render-2", clip.path)


async def test_cancel_on_another_machine_leaves_the_request_at_fal(
    open_fal, begun, tmp_path, clips
):
    fal = open_fal(generation_seconds=4)
    await begun()
    told: list[Progress] = []
    reached = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        if progress.phase is Phase.GENERATING:
            reached.set()

    options = {"on_progress": on_progress, "cancelled_by_user": lambda: True}
    running = asyncio.create_task(run(shot(), tmp_path / "two", clips, **options))
    await asyncio.wait_for(reached.wait(), 60)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert told[-1].warning
    assert "was made on anna-pc, so this run does not cancel it" in told[-1].text
    assert fal.ledger()["counts"]["cancels"] == 0
    assert only_row(tmp_path / "two").state is State.SUBMITTED
    await run(shot(), tmp_path / "two", clips)
    assert len(jobs_of(fal, shot())) == 1


async def test_cancel_of_a_run_that_waits_for_another_machine_leaves_that_one_alone(
    open_fal, shared_ledger, at, tmp_path, clips
):
    fal = open_fal(generation_seconds=3)
    at("anna-pc")
    first = asyncio.create_task(run(shot(), tmp_path / "one", tmp_path / "anna"))
    while not jobs_of(fal, shot()):  # noqa: ASYNC110 (only fal can tell)
        await asyncio.sleep(0.05)
    at("render-2")
    await interrupted(shot(), tmp_path / "two", clips, Phase.WAITING, by_user=True)
    assert (await first).path.is_file()
    assert fal.ledger()["counts"]["cancels"] == 0


@pytest.fixture
def made(fal, shared_ledger, at, tmp_path):
    """Makes a clip on one machine, whose folder then is out of reach, and goes on as another."""

    async def make() -> tuple[Path, Path]:
        at("anna-pc")
        output = tmp_path / "anna" / "output"
        place = Destination(output / "film", "clip", root=output)
        clip = await run(shot(), tmp_path / "one", output, destination=place)
        at("render-2")
        away = tmp_path / "away"
        (tmp_path / "anna").rename(away)
        return clip.path, away / "output"

    return make


def on_render_2(tmp_path: Path) -> Destination:
    output = tmp_path / "R" / "output"
    return Destination(output / "film", "clip", root=output)


async def test_generate_finds_the_clip_below_its_own_mount_of_the_output_folder(
    made, fal, tmp_path
):
    _, disk = await made()
    here = on_render_2(tmp_path)
    here.root.parent.mkdir()
    here.root.symlink_to(disk)  # the same folder, mounted under another name
    fal.reset()
    clip = await run(shot(), tmp_path / "two", here.root, destination=here)
    assert clip.path == here.root / "film" / "clip_00001.mp4"
    assert (clip.reused, clip.cost_usd) == (True, 0)
    assert fal.ledger()["requests"] == []
    assert only_row(tmp_path / "two").host == "anna-pc"


async def test_generate_without_the_mount_fetches_the_clip_from_fal_free(made, fal, tmp_path):
    await made()
    here = on_render_2(tmp_path)
    clip = await run(shot(), tmp_path / "two", here.root, destination=here)
    assert clip.path == here.root / "film" / "clip_00001.mp4"
    assert clip.path.is_file()
    assert len(jobs_of(fal, shot())) == 1


async def test_generate_without_mount_and_fal_names_the_machine_that_has_the_clip(
    made, fal, tmp_path
):
    path, disk = await made()
    fal.set_faults("clip_gone:99")
    here = on_render_2(tmp_path)
    with pytest.raises(ClipGoneError) as told:
        await run(shot(), tmp_path / "two", here.root, destination=here)
    assert f"its file {path} of the machine anna-pc is gone" in str(told.value)
    assert len(jobs_of(fal, shot())) == 1
    # The mount is there again: nothing was lost, and nothing is paid.
    shutil.copytree(disk, here.root, dirs_exist_ok=True)
    assert (await run(shot(), tmp_path / "two", here.root, destination=here)).path.is_file()
    assert len(jobs_of(fal, shot())) == 1
