"""A clip that was saved once: moved, edited, out of sight, taken away; it is never paid again."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.destination import Destination
from vidu.library import load_or_resume
from vidu.media.video import check
from vidu.models import State

from ...support.shots import run, shot, until


def row(home):
    with BlockingLedger.open(home) as ledger:
        return ledger.active(shot().fingerprint)


def requests(fal) -> int:
    return len(fal.ledger()["requests"])


def retitle(path: Path) -> None:
    """What a media manager does: the same packets, a title more."""
    other = path.with_name("retitled.mp4")
    with (
        av.open(str(path)) as source,
        av.open(str(other), "w", options={"movflags": "use_metadata_tags"}) as target,
    ):
        target.metadata["title"] = "The tide, take 3"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    other.replace(path)


async def test_generate_retitled_file_is_the_clip(fal, vidu_home, clips):
    first = await run(shot(), vidu_home, clips)
    before = first.path.read_bytes()
    retitle(first.path)
    assert first.path.read_bytes() != before
    fal.set_faults("clip_gone")
    asked = requests(fal)
    for _ in range(2):
        again = await run(shot(), vidu_home, clips)
        assert (again.path, again.cost_usd, again.reused) == (first.path, 0, True)
    assert requests(fal) == asked
    assert row(vidu_home).file.size == first.path.stat().st_size


@pytest.mark.parametrize("place", ["moved", "moved/deep/down"])
async def test_generate_file_moved_below_the_folder_is_found(place, fal, vidu_home, clips):
    first = await run(shot(), vidu_home, clips)
    (clips / place).mkdir(parents=True)
    moved = first.path.rename(clips / place / first.path.name)
    (clips / first.path.name).write_bytes(b"another file of that name")
    fal.set_faults("clip_gone")
    asked = requests(fal)
    again = await run(shot(), vidu_home, clips)
    assert (again.path, again.cost_usd) == (moved, 0)
    assert (requests(fal), row(vidu_home).file.path) == (asked, moved)


async def test_generate_whole_folder_moved_is_found_below_the_new_one(
    fal, vidu_home, clips, tmp_path
):
    first = await run(shot(), vidu_home, clips)
    clips.rename(tmp_path / "other drive")
    fal.set_faults("clip_gone")
    again = await run(shot(), vidu_home, tmp_path / "other drive")
    assert again.path == tmp_path / "other drive" / first.path.name
    assert not clips.exists()


async def test_load_or_resume_moved_file_needs_neither_key_nor_network(
    fal, vidu_home, clips, tmp_path, monkeypatch
):
    first = await run(shot(), vidu_home, clips)
    clips.rename(tmp_path / "other drive")
    monkeypatch.delenv("FAL_KEY")
    destination = Destination(tmp_path / "other drive", "clip")
    clip = await load_or_resume(row(vidu_home), vidu_home, destination)
    assert clip.path == tmp_path / "other drive" / first.path.name
    assert row(vidu_home).file.path == clip.path


async def test_generate_same_name_and_size_with_other_content_is_not_taken(fal, vidu_home, clips):
    first = await run(shot(), vidu_home, clips)
    size = first.path.stat().st_size
    first.path.unlink()
    (clips / "moved").mkdir()
    (clips / "moved" / first.path.name).write_bytes(bytes(size))
    again = await run(shot(), vidu_home, clips)
    assert again.path == first.path
    assert check(again.path).frame_count == 8


async def test_generate_on_a_drive_that_is_not_mounted_refuses_and_pays_nothing(
    fal, vidu_home, clips, tmp_path
):
    first = await run(shot(), vidu_home, clips)
    shutil.move(clips, tmp_path / "unplugged")
    fal.set_faults("clip_gone")
    with pytest.raises(errors.ClipGoneError) as caught:
        await run(shot(), vidu_home, clips)
    assert str(first.path) in str(caught.value)
    assert "Connect the drive" in str(caught.value)
    assert fal.ledger()["counts"]["jobs"] == 1
    clips.rmdir()
    shutil.move(tmp_path / "unplugged", clips)
    again = await run(shot(), vidu_home, clips)
    assert (again.path, again.cost_usd, row(vidu_home).state) == (first.path, 0, State.SAVED)


async def test_generate_in_a_hot_folder_that_takes_clips_away_downloads_once(
    fal, vidu_home, clips, tmp_path
):
    clips.mkdir()
    over = threading.Event()

    def take_away() -> None:
        while not over.wait(0.001):
            for path in clips.glob("*.mp4"):
                path.rename(tmp_path / path.name)

    with ThreadPoolExecutor() as pool:
        taking = pool.submit(take_away)
        clip = await run(shot(), vidu_home, clips)
        await until(lambda: not clip.path.exists())
        over.set()
        taking.result()
    assert clip.request_id
    assert check(tmp_path / clip.path.name).frame_count == 8
    assert fal.ledger()["counts"]["downloads"] == 1


def write_half(source: Path, target: Path, metadata: Mapping[str, str]) -> None:
    target.write_bytes(source.read_bytes()[:1000])
    raise errors.SaveError("The clip could not be written (No space left on device).")


async def test_generate_disk_that_fills_up_leaves_the_download_alone(
    fal, vidu_home, clips, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("vidu.steps.retrieve.write_clip", write_half)
        with pytest.raises(errors.SaveError, match="is paid for and not lost"):
            await run(shot(), vidu_home, clips)
    (left,) = clips.iterdir()
    assert check(left).frame_count == 8
    await run(shot(), vidu_home, clips)
    assert [path.name for path in clips.iterdir()] == ["clip_00001.mp4"]
    assert fal.ledger()["counts"]["downloads"] == 1


async def test_generate_download_of_a_forgotten_request_is_not_taken_for_the_new_clip(
    fal, vidu_home, clips, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr("vidu.steps.retrieve.write_clip", write_half)
        with pytest.raises(errors.SaveError):
            await run(shot(), vidu_home, clips)
    with BlockingLedger.open(vidu_home) as ledger:
        ledger.delete(ledger.active(shot().fingerprint))
    await run(shot(), vidu_home, clips)
    counts = fal.ledger()["counts"]
    assert (counts["jobs"], counts["downloads"]) == (2, 2)


async def test_generate_another_shots_clip_in_its_place_is_not_taken_for_it(fal, vidu_home, clips):
    first = await run(shot(1), vidu_home, clips)
    first.path.unlink()
    other = await run(shot(2), vidu_home, clips)
    assert other.path == first.path
    assert (other.width, other.height, other.frame_count) == (64, 48, 8)
    fal.set_faults("clip_gone")
    with pytest.raises(errors.ClipGoneError, match="gone, changed or cannot be read"):
        await run(shot(1), vidu_home, clips)
    assert (await run(shot(2), vidu_home, clips)).path == other.path


async def test_generate_on_another_machine_finds_the_file_below_its_own_output_folder(
    fal, vidu_home, tmp_path, monkeypatch
):
    first = await run(
        shot(), vidu_home, tmp_path, destination=Destination.inside(tmp_path / "a", "video/Vidu")
    )
    (tmp_path / "a").rename(tmp_path / "b")  # the same share, mounted elsewhere
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    fal.set_faults("clip_gone")
    mine = Destination.inside(tmp_path / "b", "elsewhere/Other")
    again = await run(shot(), vidu_home, tmp_path, destination=mine)
    assert again.path == tmp_path / "b" / "video" / first.path.name
    assert (again.reused, again.cost_usd, row(vidu_home).file.path) == (True, 0, first.path)
    (tmp_path / "b").rename(tmp_path / "not mounted")
    with pytest.raises(errors.ClipGoneError, match="of the machine "):
        await run(shot(), vidu_home, tmp_path, destination=mine)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_relative_path_is_below_the_root_with_slashes(tmp_path):
    destination = Destination.inside(tmp_path, "a/b/Vidu")
    assert destination.relative_path(destination.folder / "Vidu_00001.mp4") == (
        "a/b/Vidu_00001.mp4"
    )
    assert destination.relative_path(tmp_path.parent / "Vidu_00001.mp4") == ""
    assert Destination(tmp_path, "x").relative_path(tmp_path / "x_00001.mp4") == "x_00001.mp4"


@pytest.mark.parametrize(("metadata", "warnings"), [({"workflow": "{}"}, 1), ({}, 0)])
async def test_generate_clip_that_can_hold_no_workflow_says_so(
    metadata, warnings, fal, vidu_home, clips, monkeypatch
):
    monkeypatch.setattr("vidu.media.mux.MUXERS", {})  # as if it came as .avi
    told = []
    await run(shot(), vidu_home, clips, metadata=metadata, on_progress=told.append)
    texts = [moment.text for moment in told if moment.warning]
    assert (
        texts
        == ["The file came as .mp4, which cannot carry the workflow. The library has it."][
            :warnings
        ]
    )
