"""Thumbnails of clips and stills: small, upright, bounded in memory."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vidu.errors import CorruptClipError
from vidu.media.probe import probe
from vidu.media.thumbnails import Thumbnails
from vidu.media.video import decode
from vidu.models import SavedFile

from ...support.file_holder import FileHolder
from .test_video import TURNS, turned

SHA256 = "ab" * 32


def saved(path: Path, *, fps: float = 24, sha256: str = SHA256) -> SavedFile:
    return SavedFile(
        path=path, size=1, sha256=sha256, width=1, height=1, fps=fps, frame_count=1, duration_s=1
    )


@pytest.fixture
def thumbnails(tmp_path):
    return Thumbnails(tmp_path / "thumbnails")


@pytest.mark.parametrize("turn", TURNS)
def test_thumbnails_clip_is_upright(turn, thumbnails, film, noise_frames):
    path = film(noise_frames(3, 96, 64))
    turned(path, TURNS[turn][0])
    expected = decode(path, max_frames=1)[0] * 255
    with Image.open(thumbnails.make(saved(path))) as thumbnail:
        assert thumbnail.size == (probe(path).width, probe(path).height)
        assert np.abs(np.asarray(thumbnail, np.float32) - expected).mean() < 40


def test_thumbnails_large_clip_is_small(thumbnails, film, yuv_frame):
    gray = [np.full((720, 1280), 90, np.uint8), *(np.full((360, 640), 128, np.uint8),) * 2]
    with Image.open(thumbnails.make(saved(film([yuv_frame(gray, "yuv420p")])))) as thumbnail:
        assert thumbnail.size == (320, 180)


@pytest.mark.parametrize(
    ("name", "format"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", None)]
)
def test_thumbnails_still_is_small(name, format, thumbnails, tmp_path):
    Image.new("RGB", (1000, 500), "teal").save(tmp_path / name, format)
    with Image.open(thumbnails.make(saved(tmp_path / name, fps=0))) as thumbnail:
        assert thumbnail.size == (320, 160)


def test_thumbnails_many_makings_at_once_leave_one_file(thumbnails, film, noise_frames, tmp_path):
    file = saved(film(noise_frames(3)))
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(thumbnails.make, [file] * 24))
    assert list((tmp_path / "thumbnails").iterdir()) == list(made)


def test_thumbnails_refused_rename_is_fine_when_another_made_it(
    thumbnails, film, noise_frames, monkeypatch, tmp_path
):
    def refused(source, target):
        target.write_bytes(b"made by another thread")
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr("vidu.media.thumbnails.replace_file", refused)
    made = thumbnails.make(saved(film(noise_frames(3))))
    assert made.read_bytes() == b"made by another thread"
    assert list((tmp_path / "thumbnails").iterdir()) == [made]


def test_thumbnails_file_held_while_it_is_made_is_no_error(
    thumbnails, film, noise_frames, monkeypatch
):
    holder = FileHolder(monkeypatch, "unlink", 99, ".new")
    assert thumbnails.make(saved(film(noise_frames(3)))).exists()
    assert holder.refusals < 99


def test_thumbnails_old_one_that_is_being_served_is_no_error(
    tmp_path, film, noise_frames, monkeypatch
):
    thumbnails, clip = Thumbnails(tmp_path / "thumbnails", most=1), film(noise_frames(3))
    first = thumbnails.make(saved(clip))
    holder = FileHolder(monkeypatch, "unlink", 99, ".jpg")
    assert thumbnails.make(saved(clip, sha256="cd" * 32)).exists()
    assert holder.refusals < 99
    assert first.exists()


@pytest.mark.parametrize("sha256", ["../secret", "", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
def test_thumbnails_row_with_another_name_is_refused(sha256, thumbnails, film, noise_frames):
    for use in (thumbnails.make, thumbnails.find):
        with pytest.raises(CorruptClipError):
            use(saved(film(noise_frames(3)), sha256=sha256))


@pytest.mark.parametrize("fps", [0, 24])
def test_thumbnails_file_that_is_neither_is_refused(fps, thumbnails, tmp_path):
    (tmp_path / "x").write_bytes(b"neither")
    with pytest.raises(CorruptClipError):
        thumbnails.make(saved(tmp_path / "x", fps=fps))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_thumbnails_8k_clip_takes_little_memory(tmp_path):
    path = tmp_path / "8k.mp4"
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "refs": "1"}
        stream = container.add_stream("libx264", 24, options=options)
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        stream.codec_context.thread_count = 1
        frame = av.VideoFrame.from_ndarray(np.full((6480, 7680), 128, np.uint8), "yuv420p")
        for part in (frame, None):
            container.mux(stream.encode(part))
    program = f"""
import av, resource
from pathlib import Path
from vidu.media.thumbnails import Thumbnails, SavedFile
Path("/proc/self/clear_refs").write_text("5")
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1000
before = peak()
Thumbnails(Path({str(tmp_path)!r})).make(
    SavedFile(Path({str(path)!r}), 1, {SHA256!r}, 7680, 4320, 24, 1, 1)
)
print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert float(done.stdout) < 400  # MB; one float32 frame alone is 398
