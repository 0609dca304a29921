"""A shot, one run of it, and the checks of fal's jobs, the ledger and the file after it."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import httpx
from PIL import Image

from local_fal import LocalFal
from vidu.builders import image_to_video
from vidu.credentials import find_key
from vidu.destination import Destination
from vidu.fal.client import Fal
from vidu.generate import generate
from vidu.ledger import open_ledger
from vidu.media.probe import Probe
from vidu.media.video import check
from vidu.models import Clip, Entry, State
from vidu.progress import Phase, Progress
from vidu.request import Request
from vidu.settings import Settings

from .blocking_ledger import BlockingLedger
from .media import image_pixels

IMAGE_TO_VIDEO = "fal-ai/vidu/image-to-video"
TWIN = "twin"
"""The user agent of another machine that makes the same requests."""

SHORT = Settings(
    queue_limit_s=4.0,
    generation_limit_s=4.0,
    max_generation_s=4.0,
    read_timeout_s=1.5,
    retry_timeout_s=2.0,
)
"""Limits that a test can wait for; 9.5 s is the whole life of a request."""

SHORT_LIVED = replace(
    SHORT,
    queue_limit_s=0.2,
    generation_limit_s=0.2,
    max_generation_s=0.2,
    read_timeout_s=0.6,
    retry_timeout_s=0.5,
)
"""With these a request lives for one second."""

STEPS = (
    *(
        "reserve",
        "mark_submitting",
        "mark_submitted",
        "mark_cancelled",
        "mark_finished",
        "mark_saved",
        "mark_failed",
        "mark_unsent",
        "has_request",
        "has_other_of_request",
    ),
    *(
        "upload",
        "submit",
        "status",
        "result",
        "cancel",
        "find_lost_request",
        "find_output",
        "download",
        "server_time",
    ),
)
"""Each step of the ledger and each call of the provider: beside one a run may be killed."""


def shot(seed: int = 1, prompt: str = "The tide comes in", **options: Any) -> Request:
    return image_to_video(image_pixels(), prompt, seed=seed, **options)


async def run(
    request: Request,
    home: Path,
    folder: Path,
    *,
    settings: Settings = SHORT,
    clock_s: float = 0.0,
    **options: Any,
) -> Clip:
    """One run as a program makes it: its own client, its own connection to the ledger.

    `clock_s` is how far this machine's clock is ahead.
    """
    async with (
        Fal(find_key(home).secret, settings) as provider,
        open_ledger(home, now=lambda: time.time() + clock_s) as ledger,
    ):
        given = {"destination": Destination(folder, "clip"), "settings": settings} | options
        return await generate(request, provider, ledger, **given)


async def interrupting(
    request: Request,
    home: Path,
    folder: Path,
    phase: Phase,
    *,
    by_user: bool,
    after_s: float = 0.0,
    settings: Settings = SHORT,
    clock_s: float = 0.0,
) -> asyncio.Task[Clip]:
    """A run that was cancelled this long after it reported the phase, or that had ended before."""
    reached = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.phase is phase:
            reached.set()

    options = {
        "on_progress": on_progress,
        "cancelled_by_user": lambda: by_user,
        "settings": settings,
        "clock_s": clock_s,
    }
    task = asyncio.create_task(run(request, home, folder, **options))
    waiting = asyncio.create_task(reached.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    await asyncio.sleep(after_s)
    task.cancel()
    await asyncio.wait({task})
    return task


async def interrupted(*shot_and_place: Any, **options: Any) -> None:
    """A run that was cancelled in this phase, and ended as one that is cancelled."""
    task = await interrupting(*shot_and_place, **options)
    assert task.cancelled(), f"it ended otherwise: {task}"


async def until(condition: Callable[[], object], *, limit_s: float = 60.0) -> None:
    """Wait for something that only fal's own ledger can tell.

    Raises:
        TimeoutError: It did not come about within `limit_s`.
    """
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            where = f"{condition.__code__.co_filename}:{condition.__code__.co_firstlineno}"
            raise TimeoutError(f"the condition at {where} is not met after {limit_s:g} s")
        await asyncio.sleep(0.02)


def active_row(home: Path) -> Entry | None:
    """Return the active row of the usual shot."""
    with BlockingLedger.open(home) as ledger:
        return ledger.active(shot().fingerprint)


def switching_on(fal: LocalFal, faults: str, phase: Phase) -> Callable[[Progress], None]:
    """Switches faults on when a run first tells of this phase."""
    waiting = [faults]

    def on_progress(progress: Progress) -> None:
        if waiting and progress.phase is phase:
            fal.set_faults(waiting.pop())

    return on_progress


# What must be true.


def problems(fal: LocalFal, home: Path, folder: Path, request: Request, clip: Clip) -> list[str]:
    """Return what is wrong at fal, in the ledger and on disk after a run succeeded."""
    jobs = jobs_of(fal, request)
    return [
        *job_problems(jobs),
        *(["the clip is not the last job's"] if jobs[-1]["request_id"] != clip.request_id else []),
        *ledger_problems(home, clip, jobs),
        *file_problems(folder, clip),
        *packet_problems(fal, clip.path, jobs[-1]),
    ]


def jobs_of(fal: LocalFal, request: Request) -> list[dict[str, Any]]:
    """fal's jobs for this shot as they came, told by endpoint, seed (if it has one) and prompt."""
    jobs = [
        job
        for job in fal.ledger()["jobs"]
        if job["endpoint"] == request.endpoint.id
        and request.seed in (0, job["input"].get("seed", 0))
        and job["input"].get("prompt", "") == request.prompt
        and job["user_agent"] != TWIN
    ]
    return sorted(jobs, key=lambda job: job["sent_at"])


def job_problems(jobs: list[dict[str, Any]]) -> Iterator[str]:
    """The first promise: a new job only when the one before had ended, and unbilled."""
    for job, following in pairwise(jobs):
        if job["state"] != "COMPLETED" or job["ended_at"] > following["sent_at"]:
            yield f"a second job was asked for while {job['request_id']} lived"
        elif job["billed"]:
            yield f"a second job was asked for after {job['request_id']} was billed"
    if not jobs or not jobs[-1]["billed"]:
        yield "the last job is not the billed one"


def ledger_problems(home: Path, clip: Clip, jobs: list[dict[str, Any]]) -> Iterator[str]:
    with BlockingLedger.open(home) as ledger:
        rows = ledger.entries()
    saved = [row for row in rows if row.request_id == clip.request_id]
    if [row.state for row in saved] != [State.SAVED]:
        yield f"the ledger has it as {[row.state for row in saved]}"
    elif saved[0].file.path != clip.path:
        yield "the ledger has another file"
    known = {row.request_id for row in rows}
    for job in jobs:
        if job["billed"] and job["request_id"] not in known:
            yield f"the ledger does not know {job['request_id']}, which was billed"


def file_problems(folder: Path, clip: Clip) -> Iterator[str]:
    if not clip.path.is_file():
        yield "the clip is not on disk"
    left = sorted(path.name for path in folder.iterdir() if path != clip.path)
    if left:
        yield f"beside the clip there is {left}"


def packet_problems(fal: LocalFal, path: Path, job: dict[str, Any]) -> Iterator[str]:
    if not job["billed"]:
        yield "the last job has no output"
        return
    trusted = ssl.create_default_context(cafile=str(fal.authority))
    output = job["output"].get("video") or job["output"]["image"]
    served = path.with_name(f"served{path.suffix}")
    served.write_bytes(httpx.get(output["url"], proxy=fal.url, verify=trusted).content)
    try:
        if "video" not in job["output"]:
            if pixels_sha256(path) != pixels_sha256(served):
                yield "its pixels are not fal's"
            return
        if packets(path) != packets(served):
            yield "its packets are not fal's"
        ours, theirs = check(path), check(served)
        # Another container may round times to another base.
        if rounded(ours) != rounded(theirs):
            yield f"it is not what fal made: {ours}, {theirs}"
    finally:
        served.unlink()


def rounded(probe: Probe) -> Probe:
    return replace(
        probe,
        fps=round(probe.fps),
        duration_s=round(probe.duration_s, 1),
        last_frame_ends_s=round(probe.last_frame_ends_s, 1),
    )


def pixels_sha256(path: Path) -> str:
    with Image.open(path) as image:
        return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def packets(path: Path) -> list[tuple[str, int | None, int | None, bytes]]:
    with av.open(str(path)) as container:
        return [
            (packet.stream.type, packet.pts, packet.dts, bytes(packet))
            for packet in container.demux()
            if packet.size
        ]
