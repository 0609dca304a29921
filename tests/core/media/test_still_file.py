"""Finished stills: checked, saved with the workflow inside, pixel for pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vidu.errors import CorruptClipError, SaveError
from vidu.library import read_tags
from vidu.media.still_file import check_still, write_still

WORKFLOW = {"workflow": '{"nodes": [1, 2]}', "prompt": '{"3": "sea"}'}
FORMATS = ["PNG", "JPEG", "WEBP"]


@pytest.fixture
def still(tmp_path):
    def make(format: str, mode: str = "RGB", **options):
        rng = np.random.default_rng(0)
        image = Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).convert(mode)
        image.save(tmp_path / "part", format, **options)
        return tmp_path / "part"

    return make


def read(path) -> tuple[np.ndarray, dict[str, str]]:
    with Image.open(path) as image:
        texts = {name: image.info[name] for name in WORKFLOW if name in image.info}
        for value in image.getexif().values():
            name, _, text = str(value).partition(":")
            if name in WORKFLOW:
                texts[name] = text
        return np.asarray(image.convert("RGBA")), texts


@pytest.mark.parametrize("format", FORMATS)
def test_check_still_reads_its_size(format, still):
    probe = check_still(still(format))
    assert (probe.width, probe.height, probe.frame_count, probe.fps) == (64, 48, 1, 0)
    assert probe.duration_s == 0


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_check_still_truncated_file_is_refused(format, share, still):
    path = still(format)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CorruptClipError):
        check_still(path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x00\x00\x00\x18ftypisom" * 3])
def test_check_still_other_content_is_refused(content, tmp_path):
    (tmp_path / "part").write_bytes(content)
    with pytest.raises(CorruptClipError):
        check_still(tmp_path / "part")


@pytest.mark.parametrize(
    ("format", "mode", "options", "suffix"),
    [
        ("PNG", "RGB", {}, ".png"),
        ("PNG", "RGBA", {}, ".png"),
        ("JPEG", "RGB", {"quality": 80}, ".jpg"),
        ("WEBP", "RGB", {"quality": 80}, ".webp"),
        ("WEBP", "RGBA", {"lossless": True}, ".webp"),
        ("WEBP", "RGB", {"icc_profile": b"0" * 200}, ".webp"),
    ],
)
def test_write_still_keeps_pixels_and_carries_the_workflow(format, mode, options, suffix, still):
    source = still(format, mode, **options)
    target = source.with_name("saved")
    assert write_still(source, target, WORKFLOW) == (suffix, True)
    pixels, texts = read(target)
    assert texts == WORKFLOW
    assert np.array_equal(pixels, read(source)[0])
    assert check_still(target) == check_still(source)


def test_write_still_without_metadata_is_the_same_file(still):
    source = still("JPEG")
    assert write_still(source, source.with_name("saved"), {}) == (".jpg", True)
    assert source.with_name("saved").read_bytes() == source.read_bytes()


def test_write_still_other_alphabets_survive(still):
    source = still("PNG")
    write_still(source, source.with_name("saved"), {"prompt": '"\u6d77\u306e\u6ce2"'})
    assert read(source.with_name("saved"))[1] == {"prompt": '"\u6d77\u306e\u6ce2"'}


def test_write_still_workflow_too_long_for_a_jpeg_is_left_out(still):
    source = still("JPEG")
    long = {"workflow": "x" * 70_000}
    assert write_still(source, source.with_name("saved"), long) == (".jpg", False)
    assert read(source.with_name("saved"))[1] == {}


def test_write_still_unwritable_place_is_told(still, tmp_path):
    with pytest.raises(SaveError):
        write_still(still("PNG"), tmp_path / "missing" / "saved", {})


@pytest.mark.parametrize("format", FORMATS)
def test_read_tags_still_has_its_workflow(format, still):
    source = still(format)
    write_still(source, source.with_name("saved"), WORKFLOW)
    assert read_tags(source.with_name("saved")) == WORKFLOW


def test_read_tags_file_that_is_neither_has_none(tmp_path):
    (tmp_path / "part").write_bytes(b"words")
    assert read_tags(tmp_path / "part") == {}
    assert read_tags(tmp_path / "missing") == {}
