"""The download of a finished clip: whole or not at all, whatever the CDN does."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import local_fal
from vidu import errors
from vidu.destination import Destination
from vidu.errors import Charge
from vidu.media.probe import probe
from vidu.models import Clip

from ...support.shots import SHORT, jobs_of, packet_problems, problems, run, shot, until

CDN = ("v3b.fal.media", "v3.fal.media", "fal.media")


@dataclass(frozen=True)
class Finished:
    """A shot that fal has made and the ledger knows, and whose file is not on disk any more."""

    fal: local_fal.LocalFal
    home: Path
    folder: Path
    requests_before: int

    async def fetched(self, **options: Any) -> Clip:
        return await run(shot(), self.home, self.folder, **options)

    @property
    def downloads(self) -> list[dict[str, Any]]:
        requests = self.fal.ledger()["requests"][self.requests_before :]
        return [each for each in requests if each["host"] in CDN]

    @property
    def statuses(self) -> list[int]:
        return [each["status"] for each in self.downloads]


@pytest.fixture(scope="module")
def made(tmp_path_factory, bare_environment) -> Iterator[tuple[local_fal.LocalFal, Path]]:
    home = tmp_path_factory.mktemp("made")
    with (
        local_fal.running(
            generation_seconds=0.2, concurrency=50, clip_size=(64, 48), clip_frames=8
        ) as fal,
        pytest.MonkeyPatch.context() as patch,
    ):
        # The fixture that gives each test a home of its own comes later.
        for name, value in (fal.environment | {"VIDU_HOME": str(home)}).items():
            patch.setenv(name, value)
        asyncio.run(run(shot(), home / "home", home / "clips")).path.unlink()
        yield fal, home / "home"


@pytest.fixture
def finished(made, tmp_path) -> Finished:
    fal, home = made
    fal.set_faults("")
    clips = tmp_path / "clips"
    clips.mkdir()
    shutil.copytree(home, tmp_path / "home")
    return Finished(fal, tmp_path / "home", clips, len(fal.ledger()["requests"]))


@pytest.mark.parametrize(
    ("faults", "statuses"),
    [
        ("", [200]),
        ("redirect:1", [302, 200]),
        ("download_broken:1", [None, 206]),
        ("download_stalled:1", [None, 206]),
        ("short:1", [200, 206]),
        ("download_broken:1,no_range:1", [None, 200]),
        ("truncated:1", [200, 200]),
        ("empty:1", [200, 200]),
        ("html:1", [200, 200]),
        ("clip_gone:1", [404, 200]),
        ("download_reset:1", [None, 200]),
        ("download_timeout:1", [None, 200]),
        *((f"download_{status}:1", [status, 200]) for status in (408, 409, 500, 502, 503, 504)),
    ],
)
async def test_download_passing_fault_saves_the_whole_clip(faults, statuses, finished):
    finished.fal.set_faults(faults)
    clip = await finished.fetched(settings=replace(SHORT, retry_timeout_s=5.0))
    assert finished.statuses == statuses
    assert (clip.reused, clip.cost_usd) == (True, 0)
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []
    assert len(jobs_of(finished.fal, shot())) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("truncated", errors.CorruptClipError, "clip|video"),
        ("empty", errors.CorruptClipError, "clip|video"),
        ("html", errors.CorruptClipError, "clip|video"),
        ("short", errors.DownloadError, "could not be downloaded"),
        ("download_broken", errors.DownloadError, "could not be downloaded"),
        ("download_stalled", errors.DownloadError, "read timed out"),
        ("download_timeout", errors.DownloadError, "read timed out"),
        ("download_reset", errors.DownloadError, "connection was closed"),
        ("download_503", errors.DownloadError, "503"),
        ("redirect_to_private", errors.UnsafeUrlError, "private network"),
    ],
)
async def test_download_lasting_fault_is_reported_and_saves_nothing(fault, kind, words, finished):
    finished.fal.set_faults(fault)
    with pytest.raises(kind, match=words) as caught:
        await finished.fetched(settings=replace(SHORT, retry_timeout_s=0.5))
    assert caught.value.charge is Charge.SPENT
    assert "Run the same shot again to" in caught.value.next_step
    assert caught.value.request_id == jobs_of(finished.fal, shot())[0]["request_id"]
    assert list(finished.folder.glob("[!.]*")) == []
    assert finished.fal.ledger()["refused"] == []  # nobody even knocked at the private address
    finished.fal.set_faults("")
    clip = await finished.fetched()
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []


async def test_download_gone_behind_a_history_that_signs_urls_ends(finished):
    finished.fal.set_faults("clip_gone,listing_urls_signed")
    with pytest.raises(errors.ClipGoneError) as caught:
        await finished.fetched()
    assert caught.value.charge is Charge.CHARGED
    assert len(finished.downloads) <= 12  # six at the row's address, six at the history's
    assert finished.fal.ledger()["counts"]["listings"] <= 2
    finished.fal.set_faults("")
    clip = await finished.fetched()
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []
    assert len(jobs_of(finished.fal, shot())) == 1


async def test_download_sends_no_key_to_the_cdn(finished):
    finished.fal.set_faults("redirect:1,download_broken:1")
    await finished.fetched()
    assert len(finished.downloads) == 3
    assert {each["authorization"] for each in finished.downloads} == {""}


async def test_download_larger_than_the_limit_is_refused(finished):
    with pytest.raises(errors.DownloadError, match="larger than 0 MB") as caught:
        await finished.fetched(settings=replace(SHORT, clip_limit_mb=0.001))
    assert "VIDU_CLIP_LIMIT_MB" in caught.value.next_step
    assert caught.value.charge is Charge.SPENT
    assert list(finished.folder.glob("[!.]*")) == []
    clip = await finished.fetched()
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []


async def test_download_that_cannot_be_saved_is_not_repeated(finished):
    (finished.folder / "64x48").write_text("a file where a folder should be")
    blocked = Destination(finished.folder / "%width%x%height%", "clip")
    with pytest.raises(errors.SaveError, match="64x48") as caught:
        await finished.fetched(destination=blocked)
    assert caught.value.charge is Charge.SPENT
    (finished.folder / "64x48").unlink()
    clip = await finished.fetched()
    assert finished.statuses == [200]
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []


async def test_download_into_a_folder_that_cannot_be_made_is_refused_before_it_begins(finished):
    (finished.folder / "blocked").write_text("a file where a folder should be")
    with pytest.raises(errors.SaveError, match="blocked"):
        await finished.fetched(destination=Destination(finished.folder / "blocked", "clip"))
    assert finished.statuses == []
    (finished.folder / "blocked").unlink()
    clip = await finished.fetched()
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []


async def test_download_replaces_the_part_that_a_killed_run_left(finished):
    (job,) = jobs_of(finished.fal, shot())
    left = Destination(finished.folder, "clip").temporary_path(job["request_id"])
    left.write_bytes(b"\0\0\0\x20ftypisom" + bytes(1000))
    clip = await finished.fetched()
    assert problems(finished.fal, finished.home, finished.folder, shot(), clip) == []


# What is wrong with the result itself.


async def submitted_with(fal, faults: dict[int, str], folder: Path) -> list[Clip | Exception]:
    """One shot for each fault, all waited for together."""
    tasks = []
    for seed, fault in faults.items():
        fal.set_faults(fault)
        tasks.append(asyncio.create_task(run(shot(seed), folder / "home", folder / "clips")))
        await until(lambda: jobs_of(fal, shot(seed)))  # noqa: B023 (called at once)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_download_of_an_unsafe_url_is_refused(open_fal, tmp_path):
    fal = open_fal(concurrency=5)
    strange = {1: "file_url:1", 2: "http_url:1", 3: "private_url:1"}
    refused = await submitted_with(fal, strange, tmp_path)
    assert [type(error) for error in refused] == [errors.UnsafeUrlError] * 3
    for error, words in zip(refused, ("file", "http", "private network"), strict=True):
        assert words in error.message
        assert error.charge is Charge.SPENT
        assert re.search(r"vidu forget \d+ --home", error.next_step)
    ledger = fal.ledger()
    assert (ledger["counts"]["downloads"], ledger["refused"]) == (0, [])
    # Asked again, it stays the one job that was paid for.
    with pytest.raises(errors.UnsafeUrlError):
        await run(shot(1), tmp_path / "home", tmp_path / "clips")
    assert fal.ledger()["counts"]["jobs"] == 3


async def test_download_of_a_result_without_a_whole_clip_is_refused(open_fal, tmp_path):
    fal = open_fal(concurrency=5)
    lacking = {1: "video_missing:1", 2: "video_null:1", 3: "cut_clip:1", 4: "url_only:1,cut_clip:1"}
    refused = await submitted_with(fal, lacking, tmp_path)
    kinds = [
        errors.DownloadError,
        errors.DownloadError,
        errors.CorruptClipError,
        errors.CorruptClipError,
    ]
    assert [type(error) for error in refused] == kinds
    assert {error.charge for error in refused} == {Charge.SPENT}
    assert "names no file" in refused[0].message
    assert list(tmp_path.rglob("*.mp4")) == []
    assert list((tmp_path / "clips").glob(".*")) == []
    assert fal.ledger()["counts"]["jobs"] == 4


async def test_download_of_each_kind_of_clip_saves_fals_packets(open_fal, tmp_path):
    fal = open_fal(concurrency=9)
    kinds = ["with_audio", "fps_16", "odd_size", "index_last", "variable_frame_rate", "rotated"]
    kinds += ["untagged_color", "url_only"]
    faults = {seed: f"{kind}:1" for seed, kind in enumerate(kinds, start=1)}
    clips = dict(zip(kinds, await submitted_with(fal, faults, tmp_path), strict=True))
    for seed, clip in enumerate(clips.values(), start=1):
        assert list(packet_problems(fal, clip.path, jobs_of(fal, shot(seed))[0])) == []
    assert probe(clips["with_audio"].path).has_audio
    assert (clips["fps_16"].fps, clips["fps_16"].frame_count) == (16, 5)
    assert (clips["odd_size"].width, clips["odd_size"].height) == (63, 47)
    assert clips["variable_frame_rate"].fps < 24
    assert (clips["rotated"].width, clips["rotated"].height) == (48, 64)
