from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import av
import pytest

from vidu.errors import SaveError
from vidu.media.mux import write_clip
from vidu.media.probe import probe

ROOT = Path(__file__).resolve().parents[3]
LATE = [5, 6, 7, 8, 20, 21, 40, 41, 42, 43]


def rewrite(source: Path, metadata: Mapping[str, str]) -> Path:
    """The clip written again, beside itself."""
    target = source.with_name(f"saved_{source.name}")
    write_clip(source, target, metadata)
    return target


def packets(path: Path) -> list[tuple]:
    with av.open(str(path)) as container:
        return [
            (
                packet.stream.type,
                bytes(packet),
                packet.pts * packet.time_base,
                packet.dts * packet.time_base,
                packet.is_keyframe,
            )
            for packet in container.demux()
            if packet.size
        ]


def by_stream(path: Path) -> dict[str, list[tuple]]:
    """Packets in the order of their stream: how streams interleave is the file's own affair."""
    kinds = sorted({packet[0] for packet in packets(path)})
    return {kind: [packet for packet in packets(path) if packet[0] == kind] for kind in kinds}


def metadata(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return dict(container.metadata)


def boxes(path: Path) -> list[bytes]:
    """The names of the file's outermost boxes, in order."""
    film, place, found = path.read_bytes(), 0, []
    while place < len(film):
        found.append(film[place + 4 : place + 8])
        place += int.from_bytes(film[place : place + 4], "big")
    return found


SOURCES = {
    "plain": {},
    "index last": {"movflags": ""},
    "audio": {"audio": True},
    "audio, index last": {"audio": True, "movflags": ""},
    "reordered frames": {"options": {"preset": "medium", "crf": "20"}},
    "variable rate": {"times": LATE},
    "millisecond clock": {"times": [0, 42, 83, 125, 167, 208, 250, 292, 333, 375], "rate": 1000},
    "full range": {"full_range": True},
}


@pytest.mark.parametrize("source", SOURCES)
def test_write_clip_keeps_the_sources_packets(source, film, noise_frames, tmp_path):
    path = film(noise_frames(10), **SOURCES[source])
    saved = rewrite(path, {"workflow": "{}"})
    assert by_stream(saved) == by_stream(path)
    assert probe(saved) == probe(path)


@pytest.mark.parametrize("tags", [{}, {"workflow": '{"nodes": []}', "prompt": "{}"}])
@pytest.mark.parametrize("movflags", ["", "faststart"])
def test_write_clip_writes_the_index_first(movflags, tags, film, noise_frames, tmp_path):
    saved = rewrite(film(noise_frames(10), movflags=movflags), tags)
    assert boxes(saved).index(b"moov") < boxes(saved).index(b"mdat")


def test_write_clip_writes_the_workflow(film, noise_frames, tmp_path):
    workflow = {
        "nodes": [{"id": 1, "text": '\u96e8 \U0001f327 "quoted" \\ \n'}],
        "pad": "x" * 300_000,
    }
    tags = {"workflow": json.dumps(workflow, ensure_ascii=False), "prompt": json.dumps({"1": {}})}
    saved = rewrite(film(noise_frames(10)), tags)
    assert json.loads(metadata(saved)["workflow"]) == workflow
    assert json.loads(metadata(saved)["prompt"]) == {"1": {}}
    assert b"keys" in saved.read_bytes()  # where the editor looks: moov/udta/meta, keys and ilst


def test_write_clip_copies_no_layout_into_the_metadata(film, noise_frames, tmp_path):
    saved = rewrite(film(noise_frames(10)), {})
    assert b"compatible_brands" not in saved.read_bytes()


def test_write_clip_keeps_the_clips_own_metadata(film, noise_frames, tmp_path):
    first = rewrite(film(noise_frames(10)), {"comment": "by hand", "prompt": "old"})
    second = rewrite(first, {"prompt": "new"})
    assert metadata(second)["comment"] == "by hand"
    assert metadata(second)["prompt"] == "new"


def test_write_clip_keeps_the_rotation(film, noise_frames, tmp_path):
    path = film(noise_frames(3))
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    quarter = [0, 1 << 16, 0, -(1 << 16), 0]
    content[place : place + 20] = b"".join(
        entry.to_bytes(4, "big", signed=True) for entry in quarter
    )
    path.write_bytes(content)
    assert probe(path).rotation == 90
    assert probe(rewrite(path, {})) == probe(path)


def test_write_clip_leaves_the_source_alone(film, noise_frames, tmp_path):
    path = film(noise_frames(10))
    before = path.read_bytes()
    rewrite(path, {})
    assert path.read_bytes() == before


def test_write_clip_to_a_folder_that_is_none_names_it(film, noise_frames, tmp_path):
    source = film(noise_frames(2))
    before = source.read_bytes()
    (tmp_path / "output").write_text("a file where a folder should be")
    with pytest.raises(SaveError, match="output"):
        write_clip(source, tmp_path / "output" / "clip.mp4", {})
    assert source.read_bytes() == before


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from vidu.errors import SaveError
from vidu.media.mux import write_clip
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source, target = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_clip(source, target, {})
except SaveError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of a file")
def test_write_clip_on_a_disk_that_fills_up_says_so_and_leaves_the_source(
    film, noise_frames, tmp_path
):
    source, target = film(noise_frames(20)), tmp_path / "clip.mp4"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FULL_DISK, str(source), str(target)]
    words = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert "could not be written" in words
    assert probe(source).frame_count == 20
