from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidu.destination import Destination
from vidu.errors import SaveError
from vidu.media.mux import save_clip
from vidu.media.video import probe

ROOT = Path(__file__).resolve().parents[3]
LATE = [5, 6, 7, 8, 20, 21, 40, 41, 42, 43]


def names(folder: Path) -> Destination:
    return Destination(folder, "Vidu")


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
def test_packets_are_the_sources_own(source, film, noise_frames, tmp_path):
    path = film(noise_frames(10), **SOURCES[source])
    saved = save_clip(path, names(tmp_path / "saved"), {"workflow": "{}"})
    assert by_stream(saved) == by_stream(path)
    assert probe(saved) == probe(path)


@pytest.mark.parametrize("tags", [{}, {"workflow": '{"nodes": []}', "prompt": "{}"}])
@pytest.mark.parametrize("movflags", ["", "faststart"])
def test_the_index_comes_first(movflags, tags, film, noise_frames, tmp_path):
    saved = save_clip(film(noise_frames(10), movflags=movflags), names(tmp_path / "saved"), tags)
    assert boxes(saved).index(b"moov") < boxes(saved).index(b"mdat")


def test_the_workflow_is_inside(film, noise_frames, tmp_path):
    workflow = {
        "nodes": [{"id": 1, "text": '\u96e8 \U0001f327 "quoted" \\ \n'}],
        "pad": "x" * 300_000,
    }
    tags = {"workflow": json.dumps(workflow, ensure_ascii=False), "prompt": json.dumps({"1": {}})}
    saved = save_clip(film(noise_frames(10)), names(tmp_path / "saved"), tags)
    assert json.loads(metadata(saved)["workflow"]) == workflow
    assert json.loads(metadata(saved)["prompt"]) == {"1": {}}
    assert b"keys" in saved.read_bytes()  # where the editor looks: moov/udta/meta, keys and ilst


def test_nothing_of_the_old_layout_becomes_metadata(film, noise_frames, tmp_path):
    saved = save_clip(film(noise_frames(10)), names(tmp_path / "saved"), {})
    assert b"compatible_brands" not in saved.read_bytes()


def test_what_the_clip_says_of_itself_stays(film, noise_frames, tmp_path):
    first = save_clip(
        film(noise_frames(10)), names(tmp_path), {"comment": "by hand", "prompt": "old"}
    )
    second = save_clip(first, names(tmp_path), {"prompt": "new"})
    assert metadata(second)["comment"] == "by hand"
    assert metadata(second)["prompt"] == "new"


def test_rotation_survives(film, noise_frames, tmp_path):
    path = film(noise_frames(3))
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    quarter = [0, 1 << 16, 0, -(1 << 16), 0]
    content[place : place + 20] = b"".join(
        entry.to_bytes(4, "big", signed=True) for entry in quarter
    )
    path.write_bytes(content)
    assert probe(path).rotation == 90
    assert probe(save_clip(path, names(tmp_path / "saved"), {})) == probe(path)


def test_the_source_is_left_alone(film, noise_frames, tmp_path):
    path = film(noise_frames(10))
    before = path.read_bytes()
    save_clip(path, names(tmp_path / "saved"), {})
    assert path.read_bytes() == before


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(taken=st.sets(st.integers(1, 6)))
def test_save_clip_takes_the_number_after_the_highest(taken, film, noise_frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    source = film(noise_frames(1))
    for number in taken:
        (folder / f"Vidu_{number:05}.mp4").write_text("another's")
    following = max(taken, default=0) + 1
    assert save_clip(source, names(folder), {}) == folder / f"Vidu_{following:05}.mp4"
    for number in taken:
        assert (folder / f"Vidu_{number:05}.mp4").read_text() == "another's"
    assert len(list(folder.iterdir())) == len(taken) + 1


def test_threads_never_share_a_name(film, noise_frames, tmp_path):
    source = film(noise_frames(2))
    with ThreadPoolExecutor(8) as pool:
        saved = list(
            pool.map(lambda _: save_clip(source, names(tmp_path / "saved"), {}), range(24))
        )
    assert Counter(path.name for path in saved) == Counter(f"Vidu_{n:05}.mp4" for n in range(1, 25))


KEEP_MANY = """
import sys
from pathlib import Path
from vidu.destination import Destination
from vidu.media.mux import save_clip
source, folder = map(Path, sys.argv[1:])
sys.stdin.readline()
for _ in range(6):
    print(save_clip(source, Destination(folder, "Vidu"), {}).name)
"""


def test_processes_never_share_a_name(film, noise_frames, tmp_path):
    command = [sys.executable, "-c", KEEP_MANY, str(film(noise_frames(2))), str(tmp_path / "saved")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen(command, env=environ, **pipes) for _ in range(3)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    saved = [name for process in processes for name in process.communicate()[0].split()]
    assert Counter(saved) == Counter(f"Vidu_{number:05}.mp4" for number in range(1, 19))


def test_a_place_that_can_not_be_written_is_named(film, noise_frames, tmp_path):
    source = film(noise_frames(2))
    before = source.read_bytes()
    (tmp_path / "output").write_text("a file where a folder should be")
    with pytest.raises(SaveError, match="output"):
        save_clip(source, names(tmp_path / "output"), {})
    assert source.read_bytes() == before


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from vidu.destination import Destination
from vidu.errors import SaveError
from vidu.media.mux import save_clip
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source, target = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_clip(source, Destination(target.parent, target.stem), {})
except SaveError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of a file")
def test_a_disk_that_fills_up_leaves_nothing_behind(film, noise_frames, tmp_path):
    source, target = film(noise_frames(20)), tmp_path / "saved" / "clip.mp4"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FULL_DISK, str(source), str(target)]
    words = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert "could not be written" in words
    assert list(target.parent.iterdir()) == []
    assert probe(source).frame_count == 20
