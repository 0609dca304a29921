"""Files of every kind from fal: what decodes is handed on, and half a clip is not."""

from __future__ import annotations

import pytest
from PIL import Image

from vidu.errors import CorruptClipError, SaveError
from vidu.media.container import top_boxes
from vidu.media.video import check

from ...support.least_requests import least_request
from ...support.shots import run, shot

WHOLE = 8
"""Frames of every clip of the `fal` fixture."""

SUFFIXES = {
    "fragmented": ".mp4",
    "hybrid_fragmented": ".mp4",
    "with_audio": ".mp4",
    "variable_frame_rate": ".mp4",
    "prores": ".mov",
    "webm": ".mp4",
    "file_size_off_by_one": ".mp4",
    "gzipped_clip": ".mp4",
    "size_changes": ".mp4",
}


@pytest.mark.parametrize("fault", SUFFIXES)
async def test_retrieve_odd_file_is_handed_on(fault, fal, vidu_home, tmp_path):
    fal.set_faults(f"{fault}:1")
    clip = await run(shot(), vidu_home, tmp_path / "clips")
    whole = check(clip.path)
    assert (clip.path.suffix, clip.frame_count) == (SUFFIXES[fault], whole.frame_count)
    again = await run(shot(), vidu_home, tmp_path / "clips")
    assert (again.path, again.reused) == (clip.path, True)
    assert len(fal.ledger()["jobs"]) == 1


@pytest.mark.parametrize("layout", ["indexed", "fragmented"])
async def test_retrieve_half_a_clip_of_no_told_size_is_fetched_again(
    layout, fal, vidu_home, tmp_path
):
    fal.set_faults("unsized_half:1" + (",fragmented:1" if layout == "fragmented" else ""))
    clip = await run(shot(), vidu_home, tmp_path / "clips")
    assert clip.frame_count == check(clip.path).frame_count == WHOLE
    assert len(fal.ledger()["jobs"]) == 1


@pytest.mark.parametrize("layout", ["", ",fragmented:1"], ids=["indexed", "fragmented"])
async def test_retrieve_half_a_clip_in_chunks_is_fetched_again(layout, fal, vidu_home, tmp_path):
    fal.set_faults(f"url_only:1,chunked_half:2{layout}")
    clip = await run(shot(), vidu_home, tmp_path / "clips")
    assert clip.frame_count == check(clip.path).frame_count == WHOLE
    assert len(fal.ledger()["jobs"]) == 1


async def test_retrieve_same_file_in_chunks_each_time_is_handed_on(fal, vidu_home, tmp_path):
    fal.set_faults("url_only:1,chunked_half,fragmented:1")
    clip = await run(shot(), vidu_home, tmp_path / "clips")
    assert 0 < clip.frame_count == check(clip.path).frame_count
    assert (len(fal.ledger()["jobs"]), fal.ledger()["counts"]["downloads"]) == (1, 3)


async def test_retrieve_half_a_clip_in_chunks_of_a_larger_told_size_is_refused(
    fal, vidu_home, tmp_path
):
    fal.set_faults("chunked_half,fragmented:1")
    with pytest.raises(CorruptClipError):
        await run(shot(), vidu_home, tmp_path / "clips")
    fal.set_faults("")
    clip = await run(shot(), vidu_home, tmp_path / "clips")
    assert (clip.frame_count, len(fal.ledger()["jobs"])) == (WHOLE, 1)


async def test_retrieve_download_that_was_left_cut_at_a_fragment_is_not_taken_for_the_clip(
    fal, vidu_home, tmp_path, monkeypatch
):
    def refuse(*_: object) -> None:
        raise SaveError("The clip could not be written (No space left on device).")

    fal.set_faults("fragmented:1,url_only:1")
    with monkeypatch.context() as patch:
        patch.setattr("vidu.steps.retrieve.write_clip", refuse)
        with pytest.raises(SaveError):
            await run(shot(), vidu_home, tmp_path / "clips")
    (left,) = (tmp_path / "clips").iterdir()
    last = [box.start for box in top_boxes(left) if box.kind == b"moof"][-1]
    left.write_bytes(left.read_bytes()[:last])
    assert 0 < check(left).frame_count < WHOLE
    clip = await run(shot(), vidu_home, tmp_path / "clips")
    assert clip.frame_count == check(clip.path).frame_count == WHOLE
    assert (len(fal.ledger()["jobs"]), fal.ledger()["counts"]["downloads"]) == (1, 2)


async def test_retrieve_still_in_place_of_a_clip_is_refused(fal, vidu_home, tmp_path):
    fal.set_faults("still_instead")
    with pytest.raises(CorruptClipError, match="not a video"):
        await run(shot(), vidu_home, tmp_path / "clips")


async def test_retrieve_still_is_saved_with_its_workflow(fal, vidu_home, tmp_path):
    request = least_request("fal-ai/vidu/q2/text-to-image")
    metadata = {"workflow": '{"nodes": []}'}
    still = await run(request, vidu_home, tmp_path / "clips", metadata=metadata)
    assert (still.fps, still.frame_count, still.duration_s) == (0, 1, 0)
    with Image.open(still.path) as image:
        assert image.size == (still.width, still.height)
        assert image.info["workflow"] == metadata["workflow"]
    again = await run(request, vidu_home, tmp_path / "clips")
    assert (again.path, again.reused) == (still.path, True)
