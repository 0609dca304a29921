"""Requests into what a node hands to the graph: clips made side by side, then decoded."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..vidu.destination import Destination
from ..vidu.errors import ShotsFailedError, ViduError
from ..vidu.generate import generate
from ..vidu.library import load_or_resume
from ..vidu.media.video import decode
from ..vidu.models import Clip, Entry
from ..vidu.progress import Phase, Progress, ProgressCallback
from ..vidu.request import Request
from ..vidu.session import open_session
from ..vidu.settings import Settings
from . import host
from .host import io
from .host.progress import NodeProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

RECALLED_PREFIX = "video/Vidu"
"""Where a clip is saved that is fetched again, or collected from the library."""

CLIP_OUTPUTS = [
    io.Image.Output("frames", is_output_list=True, tooltip="Every frame of the clip."),
    io.String.Output("file_path", is_output_list=True, tooltip="The saved mp4."),
    io.Video.Output("video", is_output_list=True, tooltip="The saved mp4, for video nodes."),
    io.Image.Output("last_frame", is_output_list=True, tooltip="To begin the next clip with."),
    io.Float.Output("fps", is_output_list=True, tooltip="FrameSelection per second, on average."),
    io.Int.Output("frame_count", is_output_list=True, tooltip="How many frames there are."),
    io.String.Output("request_id", is_output_list=True, tooltip="fal's id of the request."),
]
"""What every node that yields clips yields, in this order; one list element for each clip."""

FRAME_INPUTS = [
    io.Int.Input(
        "every_nth",
        default=1,
        min=1,
        max=1000,
        optional=True,
        advanced=True,
        tooltip="Hand on every nth frame only; fps follows. Never pays again.",
    ),
    io.Int.Input(
        "max_frames",
        default=0,
        min=0,
        max=100_000,
        optional=True,
        advanced=True,
        tooltip="Hand on at most this many frames; 0 is all. Never pays again.",
    ),
]
"""Which frames a node that yields clips hands on."""


@dataclass(frozen=True)
class FrameSelection:
    """Which frames of a clip are wanted; see `vidu.media.video.decode`."""

    every_nth: int = 1
    max_frames: int = 0


@dataclass(frozen=True)
class DecodedClip:
    """A clip and those of its frames that are wanted, float32 [N, H, W, 3] in 0..1.

    Args:
        clip: The whole clip.
        frames: Its frames.
        fps: At how many of them a second they last as long as the clip.
    """

    clip: Clip
    frames: NDArray[np.float32]
    fps: float


async def generate_clips(
    requests: Sequence[Request],
    shot_labels: Sequence[str],
    destinations: Sequence[Destination],
    metadata: Mapping[str, str],
    wanted: FrameSelection,
    *,
    draft: bool,
    skip_failed: bool,
) -> list[DecodedClip]:
    """Make each request's clip, all at once, and decode one after the other.

    Args:
        requests: The shots.
        shot_labels: What each is called in an error.
        destinations: Where the clip of each is saved.
        metadata: Texts to carry inside the files.
        wanted: Which frames to decode.
        draft: Whether to work without key, network and cost.
        skip_failed: Whether to go on with the others when some fail. With none left to go on
            with, it is an error all the same.

    Raises:
        ViduError: The only one failed.
        ShotsFailedError: Some of several failed; the others are saved for the next run.
        InterruptProcessingException: The user pressed Cancel; fal was asked to cancel.
    """
    display = NodeProgress(requests)
    with host.track_job(display):
        results = await host.run_interruptible(
            _make_all(requests, destinations, metadata, wanted, draft, display), display
        )
    takes = [result for result in results if isinstance(result, DecodedClip)]
    failure = _failure(results, shot_labels)
    if failure and not (takes and skip_failed):
        raise failure
    if failure:
        log.warning("Vidu: skipped shots. %s", failure.message)
        host.notify(failure.message)
    return takes


async def load_saved_clip(entry: Entry, wanted: FrameSelection) -> DecodedClip:
    """Bring back the clip of a row of the ledger; it is never paid again.

    Raises:
        ViduError: There is no clip to be had.
        InterruptProcessingException: The user pressed Cancel.
    """
    display = NodeProgress([entry])
    on_progress = display.callback_for(0)

    async def work() -> DecodedClip:
        clip = await load_or_resume(
            entry, host.data_dir(), host.destination(RECALLED_PREFIX), on_progress
        )
        return await _taken(clip, wanted, on_progress)

    with host.track_job(display):
        return await host.run_interruptible(work(), display)


def outputs(takes: Sequence[DecodedClip]) -> io.NodeOutput:
    """Return the takes as node outputs, with the clips playing on the node."""
    frames = [host.as_image(take.frames) for take in takes]
    return io.NodeOutput(
        frames,
        [str(take.clip.path) for take in takes],
        [host.as_video(take.clip.path) for take in takes],
        [image[-1:].clone() for image in frames],
        [take.fps for take in takes],
        [len(take.frames) for take in takes],
        [take.clip.request_id for take in takes],
        ui=host.preview([take.clip.path for take in takes]),
    )


async def _make_all(
    requests: Sequence[Request],
    destinations: Sequence[Destination],
    metadata: Mapping[str, str],
    wanted: FrameSelection,
    draft: bool,
    display: NodeProgress,
) -> list[DecodedClip | BaseException]:
    started_at = time.monotonic()
    one_at_a_time = asyncio.Lock()  # one decode keeps every core busy

    async def one(index: int) -> DecodedClip:
        on_progress = display.callback_for(index)
        try:
            clip = await generate(
                requests[index],
                provider,
                ledger,
                destinations[index],
                metadata=metadata,
                settings=settings,
                on_progress=on_progress,
                cancelled_by_user=lambda: host.interrupted_since(started_at),
            )
            async with one_at_a_time:
                return await _taken(clip, wanted, on_progress)
        except ViduError as error:
            on_progress(Progress(Phase.DONE, f"Failed: {error.message}", 1.0))
            raise

    settings = Settings.load(host.data_dir())
    async with open_session(host.data_dir(), settings, draft=draft) as (provider, ledger):
        return await asyncio.gather(
            *(one(index) for index in range(len(requests))), return_exceptions=True
        )


async def _taken(clip: Clip, wanted: FrameSelection, on_progress: ProgressCallback) -> DecodedClip:
    on_progress(Progress(Phase.DECODING, "Decoding", 0.97))
    frames = await _decoded(clip, wanted)
    on_progress(Progress(Phase.DONE, _summary(clip), 1.0))
    return DecodedClip(clip, frames, clip.fps / wanted.every_nth)


async def _decoded(clip: Clip, wanted: FrameSelection) -> NDArray[np.float32]:
    stop = threading.Event()
    try:
        return await asyncio.to_thread(
            decode,
            clip.path,
            every_nth=wanted.every_nth,
            max_frames=wanted.max_frames,
            stop=stop.is_set,
        )
    except ViduError as error:
        raise error.with_charge(clip.charge, clip.request_id) from error
    finally:
        stop.set()


def _failure(
    results: Sequence[DecodedClip | BaseException], shot_labels: Sequence[str]
) -> ViduError | None:
    failures: dict[int, ViduError] = {}
    for number, result in enumerate(results, 1):
        if isinstance(result, ViduError):
            failures[number] = result
        elif isinstance(result, asyncio.CancelledError):
            # Not the host's: as it is, it would end the host's worker.
            raise RuntimeError("A shot was stopped from within.") from result
        elif isinstance(result, BaseException):
            raise result
    if len(results) == 1:
        return failures.get(1)
    return ShotsFailedError(failures, shot_labels) if failures else None


def _summary(clip: Clip) -> str:
    size = f"{clip.width}x{clip.height}, {clip.frame_count} frames"
    if clip.is_draft:
        return f"Draft, free: {size}"
    return f"Saved clip, free: {size}" if clip.reused else f"${clip.cost_usd:.2f}: {size}"
