"""Videos as they are uploaded: named by content, never by a fresh encoding."""

from __future__ import annotations

import av
import numpy as np
import pytest

from vidu.errors import InvalidInputError
from vidu.media.audio import decode_audio
from vidu.media.mux import write_clip
from vidu.media.video import check, decode
from vidu.media.video_file import encode_video, load_video, load_video_part

from .test_audio import tone


def pictures(count: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width] / 40
    waves = [np.stack([np.sin(rows + i), np.cos(columns), rows], -1) for i in range(count)]
    return np.rint(np.stack(waves).clip(0, 1) * 255).astype(np.float32) / np.float32(255)


def test_load_video_mp4_is_uploaded_as_it_is(film, noise_frames):
    path = film(noise_frames(12), audio=True)
    video = load_video(path)
    assert video.data == path.read_bytes()
    assert (video.width, video.height, video.size) == (64, 48, path.stat().st_size)
    assert video.duration_s == pytest.approx(0.5)


def test_load_video_remuxed_file_has_the_same_name(film, noise_frames, tmp_path):
    path = film(noise_frames(12), audio=True)
    write_clip(path, tmp_path / "tagged.mp4", {"workflow": "{}"})
    silent = film(noise_frames(12), name="silent.mp4")
    names = [load_video(each).content_sha256 for each in (path, tmp_path / "tagged.mp4", silent)]
    assert names[0] == names[1] != names[2]


def test_load_video_webm_becomes_an_mp4(tmp_path):
    path = tmp_path / "clip.webm"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", 24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures():
            frame = av.VideoFrame.from_ndarray((picture * 255).astype(np.uint8), "rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    video = load_video(path)
    (tmp_path / "sent.mp4").write_bytes(video.data)
    assert check(tmp_path / "sent.mp4").frame_count == 12
    assert load_video(path).content_sha256 == video.content_sha256
    assert np.abs(decode(tmp_path / "sent.mp4") - decode(path)).mean() < 0.03


@pytest.mark.parametrize("content", [None, b"", b"no video"])
def test_load_video_other_files_are_refused(content, tmp_path):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"clip\.mp4"):
        load_video(path)


def test_encode_video_holds_frames_and_sound(tmp_path):
    video = encode_video(pictures(24), 12, tone(2, 48000, 2))
    (tmp_path / "sent.mp4").write_bytes(video.data)
    clip = check(tmp_path / "sent.mp4")
    assert (clip.frame_count, clip.fps, clip.has_audio) == (24, 12.0, True)
    assert video.duration_s == pytest.approx(2)
    sound = decode_audio(tmp_path / "sent.mp4", 2)
    assert sound.duration_s == pytest.approx(2, abs=0.1)
    assert np.abs(decode(tmp_path / "sent.mp4") - pictures(24)).mean() < 0.03


def test_encode_video_name_is_that_of_frames_rate_and_sound():
    name = encode_video(pictures(), 24).content_sha256
    half = pictures().astype(np.float16)
    assert encode_video(half, 24).content_sha256 == name
    changed = pictures()
    changed[-1, -1, -1, -1] = 0.5
    others = [
        encode_video(changed, 24),
        encode_video(pictures(), 25),
        encode_video(pictures(13), 24),
        encode_video(pictures(), 24, tone(1)),
    ]
    assert len({name, *(other.content_sha256 for other in others)}) == 5


@pytest.mark.parametrize("frames", [np.zeros((0, 4, 4, 3)), np.zeros((4, 4, 3))])
def test_encode_video_without_frames_is_refused(frames):
    with pytest.raises(InvalidInputError):
        encode_video(frames.astype(np.float32), 24)


def test_encode_video_nan_is_refused():
    frames = pictures()
    frames[3, 0, 0, 0] = np.nan
    with pytest.raises(InvalidInputError, match="NaN"):
        encode_video(frames, 24)


def test_load_video_part_outlives_its_files_and_is_named_by_the_whole(film, noise_frames, tmp_path):
    whole = film(noise_frames(12), name="whole.mp4")
    part, later = film(noise_frames(6), name="part.mp4"), film(noise_frames(7), name="later.mp4")
    data = part.read_bytes()
    video = load_video_part(part, whole, (0.0, 0.25))
    same = load_video_part(later, whole, (0.0, 0.25))
    other = load_video_part(part, whole, (0.1, 0.25))
    unchanged = load_video_part(whole, whole, (0.0, 0.0))
    assert unchanged.content_sha256 == load_video(whole).content_sha256
    part.unlink()
    assert video.data == data
    assert video.content_sha256 == same.content_sha256 != other.content_sha256


def test_load_video_damaged_files_have_names_of_their_own(film, noise_frames, monkeypatch):
    """Packets that cannot be read to the end name nothing: the bytes of the file do."""
    monkeypatch.setattr("vidu.media.video_file.hash_packets", lambda path: None)
    one, other = film(noise_frames(6), name="a.mp4"), film(noise_frames(7), name="b.mp4")
    assert load_video(one).content_sha256 != load_video(other).content_sha256
