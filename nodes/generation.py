"""The run of a generating node: shots in, clips made side by side, outputs handed on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from comfy_api.latest import io

from ..vidu.errors import ShotsFailedError, ViduError
from ..vidu.generate import generate
from ..vidu.library import load_or_resume
from ..vidu.media.decode_turns import DecodeTurns
from ..vidu.media.video import Check, check
from ..vidu.models import Clip, Entry
from ..vidu.pricing import format_usd
from ..vidu.progress import Phase, Progress
from ..vidu.request import Request
from ..vidu.session import open_session
from ..vidu.settings import Settings
from . import host
from .clip_frames import CLIP_SLOTS, DecodedClip, Wanted, decode_clip, errors_name_the_charge
from .graph import remember_requests
from .host.progress import NodeProgress
from .input_lists import shot_labels
from .limits import check_cost, check_memory
from .run_inputs import RunSettings
from .shot_requests import NodeShot, build_requests, folded_seed_notice

__all__ = [
    "CLIP_SLOTS",
    "clip_outputs",
    "generate_clips",
    "generate_stills",
    "load_saved",
    "still_outputs",
]

log = logging.getLogger(__name__)

RECALLED_PREFIX = "video/Vidu"
"""Where a clip is saved that is fetched again from the library."""

NOT_MADE = (
    "Nothing of the graph was connected to this output when the clip was made. Connect it to a "
    "node of the graph, and run again, free."
)

Made = TypeVar("Made")
Finish = Callable[[int, Clip], Awaitable[Made]]
"""What is done with each saved clip, given its place in the batch."""


class Still(NamedTuple):
    """A saved still and its IMAGE: float32 [1, H, W, 3] in 0..1."""

    saved: Clip
    image: Any


async def generate_clips(hidden: Any, shots: Sequence[NodeShot], run: RunSettings) -> io.NodeOutput:
    """Make the clips of the shots and hand on what the graph has connected.

    Raises:
        ViduError: The only shot failed, or nothing was sent because the run was refused.
        ShotsFailedError: Some of several failed; the others are saved for the next run.
        InterruptProcessingException: The user pressed Cancel; fal was asked to cancel.
    """
    labels = shot_labels([shot.prompt for shot in shots])
    requests = await _build(shots, labels)
    wanted = Wanted.of_running_node(hidden.dynprompt, run.every_nth, run.max_frames)
    check_memory(requests, wanted)

    turns = DecodeTurns()
    decoders = [wanted.decoder(turns) for _ in requests]

    async def finish(index: int, clip: Clip) -> DecodedClip:
        return await decode_clip(clip, wanted, decoders[index])

    def forget(index: int) -> None:
        decoders[index].forget()

    prefixes = [shot.filename_prefix for shot in shots]
    checks = [decoder.check for decoder in decoders]
    batch = Batch(requests, labels, prefixes, hidden, run, checks, finish, forget)
    return clip_outputs(await batch.make(), wanted)


async def generate_stills(
    hidden: Any, shots: Sequence[NodeShot], run: RunSettings
) -> io.NodeOutput:
    """Make the stills of the shots; raises as `generate_clips` does."""
    labels = shot_labels([shot.prompt for shot in shots])
    requests = await _build(shots, labels)

    async def finish(index: int, still: Clip) -> Still:
        with errors_name_the_charge(still):
            return Still(still, await asyncio.to_thread(host.read_image, still.path))

    prefixes = [shot.filename_prefix for shot in shots]
    checks = [check] * len(requests)
    batch = Batch(requests, labels, prefixes, hidden, run, checks, finish, lambda index: None)
    return still_outputs(await batch.make())


async def load_saved(entry: Entry, check: Check, finish: Callable[[Clip], Awaitable[Made]]) -> Made:
    """Bring back the output of a row of the ledger; it is never paid for again.

    Args:
        entry: The row.
        check: Tells whether a clip that is fetched again is whole.
        finish: What is done with the saved file.

    Raises:
        ViduError: There is none to be had.
        InterruptProcessingException: The user pressed Cancel.
    """
    display = NodeProgress([entry])
    on_progress = display.callback_for(0)

    async def work() -> Made:
        destination = host.destination(RECALLED_PREFIX)
        clip = await load_or_resume(entry, host.data_dir(), destination, on_progress, check)
        on_progress(Progress(Phase.DECODING, "Decoding", 0.97))
        made = await finish(clip)
        on_progress(Progress(Phase.DONE, _summary(clip), 1.0))
        return made

    return await host.run_interruptible(work(), display)


def clip_outputs(decoded: Sequence[DecodedClip], wanted: Wanted) -> io.NodeOutput:
    """Return the clips as the outputs of `CLIP_OUTPUTS`, playing on the node."""
    clips = [each.clip for each in decoded]
    not_made = host.blocked(NOT_MADE)
    return io.NodeOutput(
        [host.as_image(each.frames) for each in decoded if each.frames is not None]
        if wanted.frames
        else not_made,
        [str(clip.path) for clip in clips],
        [host.as_video(clip.path) for clip in clips],
        [host.as_image(each.last_frame) for each in decoded if each.last_frame is not None]
        if wanted.last_frame
        else not_made,
        [clip.fps / wanted.every_nth for clip in clips],
        [wanted.count(clip.frame_count) for clip in clips],
        [clip.request_id for clip in clips],
        [each.audio for each in decoded] if wanted.audio else not_made,
        ui=host.preview([clip.path for clip in clips]),
    )


def still_outputs(stills: Sequence[Still]) -> io.NodeOutput:
    """Return stills as image, file_path and request_id, shown on the node."""
    return io.NodeOutput(
        [still.image for still in stills],
        [str(still.saved.path) for still in stills],
        [still.saved.request_id for still in stills],
        ui=host.preview_stills([still.saved.path for still in stills]),
    )


async def _build(shots: Sequence[NodeShot], labels: Sequence[str]) -> list[Request]:
    notice = folded_seed_notice(shots)
    if notice:
        log.warning("Vidu: %s", notice)
        host.notify(notice)
    requests = await asyncio.to_thread(build_requests, shots, labels)
    await asyncio.to_thread(remember_requests, [request.fingerprint for request in requests])
    return requests


@dataclass(frozen=True)
class Batch(Generic[Made]):
    """The requests of one node, made side by side.

    Args:
        requests: One for each shot.
        labels: What each is called in an error.
        prefixes: Where the file of each goes.
        hidden: The host's hidden inputs, for the workflow inside the files.
        run: What the shots share.
        checks: What tells of each whether its download is whole.
        finish: What is done with each saved clip.
        forget: Called when a shot has ended, whatever its end, to free what only it needed.
    """

    requests: Sequence[Request]
    labels: Sequence[str]
    prefixes: Sequence[str]
    hidden: Any
    run: RunSettings
    checks: Sequence[Check]
    finish: Finish[Made]
    forget: Callable[[int], None]

    async def make(self) -> list[Made]:
        """Make every request; see `generate_clips`."""
        display = NodeProgress(self.requests)
        results = await host.run_interruptible(self._make_all(display), display)
        failure = _failure(results, self.labels)
        made = [result for result in results if not isinstance(result, BaseException)]
        if failure and not (made and self.run.skip_failed):
            # The host keeps the error for a while, and the error what this call has in hand.
            results.clear()
            made.clear()
            raise failure
        if failure:
            log.warning("Vidu: skipped shots. %s", failure.message)
            host.notify(failure.message)
        return made

    async def _make_all(self, display: NodeProgress) -> list[Made | BaseException]:
        started_at = time.monotonic()
        settings = Settings.load(host.data_dir())
        metadata = host.metadata(self.hidden)
        destinations = [host.destination(prefix, self.hidden.prompt) for prefix in self.prefixes]
        is_draft = self.run.is_draft

        async def one(index: int) -> Made:
            on_progress = display.callback_for(index)
            try:
                clip = await generate(
                    self.requests[index],
                    provider,
                    ledger,
                    destinations[index],
                    metadata=metadata,
                    settings=settings,
                    on_progress=on_progress,
                    cancelled_by_user=lambda: host.interrupted_since(started_at),
                    check=self.checks[index],
                )
                on_progress(Progress(Phase.DECODING, "Decoding", 0.97))
                made = await self.finish(index, clip)
                on_progress(Progress(Phase.DONE, _summary(clip, self.requests[index]), 1.0))
                return made
            except ViduError as error:
                on_progress(Progress(Phase.DONE, f"Failed: {error}", 1.0))
                raise
            finally:
                self.forget(index)

        async with open_session(host.data_dir(), settings, draft=is_draft) as (provider, ledger):
            if not is_draft:
                await check_cost(self.requests, ledger, self.run.max_cost)
            return await asyncio.gather(
                *(one(index) for index in range(len(self.requests))), return_exceptions=True
            )


def _failure(results: Sequence[object | BaseException], labels: Sequence[str]) -> ViduError | None:
    failures: dict[int, ViduError] = {}
    for number, result in enumerate(results, 1):
        if isinstance(result, ViduError):
            failures[number] = result
        elif isinstance(result, asyncio.CancelledError):
            # Not the host's: as it is, it would end the host's worker.
            raise RuntimeError("A shot's task was cancelled, but not by the user.") from result
        elif isinstance(result, BaseException):
            raise result
    if len(results) == 1:
        return failures.get(1)
    return ShotsFailedError(failures, labels) if failures else None


def _summary(clip: Clip, request: Request | None = None) -> str:
    size = f"{clip.width}x{clip.height}"
    if clip.fps:
        size += f", {clip.frame_count} frames"
    if request is not None:
        size = f"{request.endpoint.model}, {size}"
    if clip.is_draft:
        return f"Draft, free: {size}"
    if clip.reused:
        return f"Saved, free: {size}"
    up_to = "up to " if request is not None and request.quote.is_upper_bound else ""
    return f"{up_to}{format_usd(clip.cost_usd)}: {size}"
