"""Real mp4s of every kind, made on the spot, and the command line against a swift local fal."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import settings

import local_fal

# A machine under load is slow, and no less right for it. Every run draws new examples; the blob
# that a failure prints repeats it.
settings.register_profile("patient", deadline=None, database=None, print_blob=True)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parents[2]

LONGEST_FIRST = (
    "test_fault_matrix.py",
    "test_batch.py",
    "test_generate.py",
    "test_crash.py",
    "test_soak.py",
    "test_random_histories.py",
)
"""So that no worker begins with minutes of work when the others have none left."""

LOSSLESS = {"qp": "0", "preset": "ultrafast"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def yuv_frame(planes: Sequence[np.ndarray], pix_fmt: str) -> av.VideoFrame:
    """A frame with exactly these codes in it."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pix_fmt)
    for plane, codes in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        raw = np.ascontiguousarray(codes).view(np.uint8)
        rows[:, : raw.shape[1]] = raw
        plane.update(rows)
    return frame


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Writes frames to an mp4, losslessly unless told otherwise."""

    def write(
        frames: Iterable[av.VideoFrame],
        *,
        matrix: int = 1,
        full_range: bool = False,
        rate: int = 24,
        times: Sequence[int] | None = None,
        audio: bool = False,
        encoder: str = "libx264",
        options: dict[str, str] = LOSSLESS,
        movflags: str = "faststart",
        name: str = "film.mp4",
    ) -> Path:
        frames = list(frames)
        path = tmp_path / name
        kind = "mov" if path.suffix == ".mov" else "mp4"
        muxing = {"movflags": movflags} if movflags else {}
        with av.open(str(path), "w", format=kind, options=muxing) as container:
            stream = container.add_stream(encoder, rate, options=options)
            context = stream.codec_context
            context.width, context.height = frames[0].width, frames[0].height
            context.pix_fmt = frames[0].format.name
            context.colorspace, context.color_range = matrix, 2 if full_range else 1
            sound = container.add_stream("aac", 44100, layout="mono") if audio else None
            for index, frame in enumerate(frames):
                frame.pts = times[index] if times else index
                frame.time_base = Fraction(1, rate)
                frame.colorspace, frame.color_range = context.colorspace, context.color_range
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound:
                tone = np.sin(np.arange(44100, dtype=np.float32) / 30)[np.newaxis]
                samples = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                samples.sample_rate = 44100
                container.mux(sound.encode(samples))
                container.mux(sound.encode(None))
        return path

    return write


def noise_frames(count: int, width: int = 64, height: int = 48) -> list[av.VideoFrame]:
    """Return frames that differ from each other everywhere."""
    rng = np.random.default_rng(7)
    return [
        yuv_frame(
            [
                rng.integers(16, 236, (height, width), np.uint8),
                rng.integers(90, 160, (height // 2, width // 2), np.uint8),
                rng.integers(90, 160, (height // 2, width // 2), np.uint8),
            ],
            "yuv420p",
        )
        for _ in range(count)
    ]


@pytest.fixture(name="noise_frames")
def noise_frames_fixture() -> Callable[..., list[av.VideoFrame]]:
    return noise_frames


@pytest.fixture(name="yuv_frame")
def yuv_frame_fixture() -> Callable[..., av.VideoFrame]:
    return yuv_frame


@pytest.fixture(scope="session")
def shared_swift_fal(bare_environment) -> Iterator[local_fal.LocalFal]:
    options = {"generation_seconds": 0.01, "concurrency": 50, "clip_size": (64, 48)}
    with local_fal.running(**options, clip_frames=4) as fal:
        yield fal


@pytest.fixture
def swift_fal(shared_swift_fal) -> local_fal.LocalFal:
    """A fal that makes many tiny clips at once, with nothing asked of it yet."""
    shared_swift_fal.reset()
    return shared_swift_fal


@pytest.fixture
def start(swift_fal, vidu_home) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python -m vidu` in a process of its own, with the swift fal before it."""
    started = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        ours = {"VIDU_HOME": str(vidu_home), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "vidu", *map(str, arguments)],
            env=os.environ | swift_fal.environment | ours | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="backslashreplace",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def shell(start) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m vidu` to its end."""

    def shell(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **environment)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return shell


@pytest.fixture
def open_fal(monkeypatch, bare_environment) -> Iterator[Callable[..., local_fal.LocalFal]]:
    """Starts a local fal of the test's own, and leads this process to it."""
    with contextlib.ExitStack() as running:

        def start(**options: Any) -> local_fal.LocalFal:
            usual = {"generation_seconds": 0.2, "clip_size": (64, 48), "clip_frames": 8}
            fal = running.enter_context(local_fal.running(**usual | options))
            for name, value in fal.environment.items():
                monkeypatch.setenv(name, value)
            return fal

        yield start


@pytest.fixture
def fal(open_fal) -> local_fal.LocalFal:
    """A local fal whose clips take 0.2 s and have 8 frames, two jobs at a time."""
    return open_fal()


@pytest.fixture
def clips(tmp_path) -> Path:
    """The folder for a test's clips."""
    return tmp_path / "clips"


COUNTED = ("shots", "jobs", "billed", "clips", "killed")


@pytest.fixture
def tally(record_property) -> Callable[[Mapping[str, Any]], None]:
    """Counts what became of shots, for the totals at the end of the run."""

    def tally(outcome: Mapping[str, Any]) -> None:
        for name in outcome.keys() & set(COUNTED):
            record_property(name, outcome[name])

    return tally


def pytest_terminal_summary(terminalreporter) -> None:
    totals: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for report in terminalreporter.getreports("passed"):
        for name, count in report.user_properties:
            totals[report.nodeid.partition("::")[0]][name] += count
    if totals:
        terminalreporter.section("shots, and what became of them")
    for file, total in totals.items():
        counts = ", ".join(f"{total[name]} {name}" for name in COUNTED if total[name])
        terminalreporter.line(f"{file}: {counts}")
