"""Containers of every kind: whole, cut at a fragment, foreign."""

from __future__ import annotations

import http.server
import threading

import av
import numpy as np
import pytest

from vidu.errors import CorruptClipError
from vidu.library import read_tags
from vidu.media.container import clip_suffix, container_format, top_boxes
from vidu.media.mux import write_clip
from vidu.media.packets import hash_packets
from vidu.media.probe import probe
from vidu.media.video import check, decode

COUNT = 40
FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"


@pytest.fixture
def fragmented(film, noise_frames):
    def make(movflags: str = FRAGMENTED, name: str = "clip.mp4"):
        options = {"g": "10", "crf": "20", "preset": "medium"}
        return film(noise_frames(COUNT), options=options, movflags=movflags, name=name)

    return make


def cut_at_fragment(path, count: int = 2) -> None:
    """Leave this many fragments, whole."""
    fragments = [box for box in top_boxes(path) if box.kind == b"moof"]
    path.write_bytes(path.read_bytes()[: fragments[count].start])


def encode(path, codec: str, pixel_format: str, **options: str) -> None:
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 24, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for _ in range(12):
            picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixel_format)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("require_end", [True, False])
def test_check_whole_fragmented_file_passes(require_end, fragmented):
    path = fragmented()
    assert check(path, require_end=require_end).frame_count == COUNT


def test_check_fragmented_file_cut_at_a_fragment_is_refused_without_a_size(fragmented):
    path = fragmented()
    cut_at_fragment(path)
    assert check(path).frame_count < COUNT  # its size was told, and agreed
    with pytest.raises(CorruptClipError, match="breaks off after"):
        check(path, require_end=True)


@pytest.mark.parametrize("require_end", [True, False])
def test_check_file_cut_inside_a_fragment_is_refused(require_end, fragmented):
    path = fragmented()
    last = [box for box in top_boxes(path) if box.kind == b"mdat"][-1]
    for keep in (last.start + 9, (last.start + last.end) // 2, last.end - 1):
        whole = path.read_bytes()
        path.write_bytes(whole[:keep])
        with pytest.raises(CorruptClipError):
            check(path, require_end=require_end)
        path.write_bytes(whole)


def test_check_indexed_file_needs_no_other_end(film, noise_frames):
    for movflags in ("faststart", ""):
        path = film(noise_frames(COUNT), movflags=movflags)
        assert check(path, require_end=True).frame_count == COUNT


def test_check_hybrid_fragmented_file_counts_every_frame(fragmented):
    path = fragmented(movflags="frag_keyframe+hybrid_fragmented" if hybrid() else FRAGMENTED)
    assert check(path, require_end=True).frame_count == COUNT
    assert len(decode(path)) == COUNT


def test_check_file_with_first_frames_in_its_index_and_fragments_after_it(fragmented):
    # Without empty_moov the header holds the first frames, and stream.frames counts only those.
    path = fragmented(movflags="frag_keyframe")
    assert b"moof" in [box.kind for box in top_boxes(path)]
    assert check(path).frame_count == COUNT
    assert len(decode(path)) == COUNT


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "saved_as"),
    [
        ("clip.mov", "prores_ks", "yuv422p10le", ".mov"),
        ("clip.webm", "libvpx-vp9", "yuv420p", ".mp4"),
        ("clip.webm", "libvpx", "yuv420p", ".webm"),
        ("clip.mkv", "libvpx", "yuv420p", ".mkv"),
        ("clip.avi", "huffyuv", "yuv422p", ".avi"),
    ],
)
def test_write_clip_other_formats_are_handed_on(name, codec, pixel_format, saved_as, tmp_path):
    path = tmp_path / name
    encode(path, codec, pixel_format)
    assert check(path).frame_count == 12
    target = tmp_path / "saved"
    carried = saved_as != ".avi"
    assert write_clip(path, target, {"workflow": "{}"}) == (saved_as, carried)
    assert ("workflow" in read_tags(target)) is carried
    assert clip_suffix(target) == saved_as
    assert check(target).frame_count == 12
    assert np.array_equal(decode(target), decode(path))


def test_check_truncated_webm_is_refused_without_a_size(tmp_path):
    path = tmp_path / "clip.webm"
    encode(path, "libvpx", "yuv420p", g="4")
    assert check(path, require_end=True).frame_count == 12
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorruptClipError):
        check(path, require_end=True)


@pytest.mark.parametrize(
    ("name", "codec", "suffix"),
    [("a.mov", "mpeg4", ".mov"), ("a.mp4", "mpeg4", ".mp4"), ("a.avi", "mpeg4", ".avi")],
)
def test_clip_suffix_follows_the_content(name, codec, suffix, tmp_path):
    encode(tmp_path / name, codec, "yuv420p")
    (tmp_path / name).rename(tmp_path / "part")
    assert clip_suffix(tmp_path / "part") == suffix


@pytest.mark.parametrize("kind", ["dash", "hls", "concat", "image"])
def test_probe_playlists_are_refused_and_fetch_nothing(kind, tmp_path):
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/clip.mp4"
        texts = {
            "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
            f"<Period><AdaptationSet><Representation id='0' bandwidth='1'><BaseURL>{url}</BaseURL>"
            "</Representation></AdaptationSet></Period></MPD>",
            "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n",
            "concat": f"ffconcat version 1.0\nfile '{url}'\n",
            "image": "\x89PNG\r\n\x1a\n",
        }
        path = tmp_path / "clip.mp4"
        path.write_text(texts[kind], encoding="latin-1")
        with pytest.raises(CorruptClipError):
            probe(path)
        server.shutdown()
    assert asked == []


def test_hash_packets_is_the_same_whatever_the_metadata_says(film, noise_frames, tmp_path):
    path = film(noise_frames(12))
    write_clip(path, tmp_path / "tagged.mp4", {"title": "another"})
    other = film(noise_frames(13), name="other.mp4")
    names = [hash_packets(each) for each in (path, tmp_path / "tagged.mp4", other)]
    assert names[0] == names[1] != names[2]


def test_container_format_of_an_empty_file_is_refused(tmp_path):
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(CorruptClipError):
        container_format(tmp_path / "clip.mp4")


def hybrid() -> bool:
    """Whether this FFmpeg writes hybrid fragmented files (8.0 and later)."""
    return int(av.library_versions["libavformat"][0]) >= 62
