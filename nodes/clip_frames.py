"""The outputs of a clip that the graph asks for: frames, last frame, sound."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..vidu.errors import UnexpectedError, ViduError
from ..vidu.media.decode_turns import DecodeTurns
from ..vidu.media.decoder import ClipDecoder
from ..vidu.media.memory import frames_bytes
from ..vidu.models import Clip
from ..vidu.request import Request
from ..vidu.threads import run_in_thread_until_done
from . import host

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

FRAMES, LAST_FRAME, AUDIO = 0, 3, 7
CLIP_SLOTS = (FRAMES, LAST_FRAME, AUDIO)
"""The outputs that cost time and memory, by their place in `CLIP_OUTPUTS`."""

FPS = 24
"""What Vidu's clips have, as far as seen."""


@dataclass(frozen=True)
class Wanted:
    """What of each clip is made.

    Args:
        frames: Whether something is connected to `frames`.
        last_frame: Whether something is connected to `last_frame`.
        audio: Whether something is connected to `audio`.
        every_nth: Frame 0 and every n-th after it.
        max_frames: At most this many of those; 0 is all.
    """

    frames: bool = True
    last_frame: bool = True
    audio: bool = True
    every_nth: int = 1
    max_frames: int = 0

    @classmethod
    def of_running_node(cls, dynprompt: Any, every_nth: int, max_frames: int) -> Wanted:
        """Return what the running node's connected outputs ask for."""
        linked = host.connected_slots(CLIP_SLOTS, dynprompt)
        return cls(FRAMES in linked, LAST_FRAME in linked, AUDIO in linked, every_nth, max_frames)

    def decoder(self, turns: DecodeTurns) -> ClipDecoder:
        """Return what checks one clip, and decodes what is wanted of it while it does so."""
        return ClipDecoder(
            frames=self.frames,
            last_frame=self.last_frame,
            every_nth=self.every_nth,
            max_frames=self.max_frames,
            turns=turns,
        )

    def count(self, frame_count: int) -> int:
        """Return how many frames of a clip `frames` holds."""
        return len(range(0, frame_count, self.every_nth)[: self.max_frames or None])


@dataclass(frozen=True)
class DecodedClip:
    """A clip and what of it was asked for; None is what was not.

    Args:
        clip: The whole clip.
        frames: float32 [N, H, W, 3] in 0..1.
        last_frame: float32 [1, H, W, 3] in 0..1: the clip's own last frame.
        audio: The sound as the graph has it.
    """

    clip: Clip
    frames: NDArray[np.float32] | None
    last_frame: NDArray[np.float32] | None
    audio: Any


async def decode_clip(clip: Clip, wanted: Wanted, decoder: ClipDecoder) -> DecodedClip:
    """Return what is wanted of a clip; what its check has not decoded is decoded in threads.

    Args:
        clip: The saved clip.
        wanted: What is made of it.
        decoder: Made by `wanted`; it has checked the clip if it was downloaded just now.

    Raises:
        CorruptClipError: The file does not decode.
        ClipTooLargeError: Its frames do not fit into memory.
        UnexpectedError: Something else went wrong.
    """
    audio = None
    with errors_name_the_charge(clip):
        frames, last_frame = await run_in_thread_until_done(
            decoder.take, clip.path, on_cancel=decoder.cancel
        )
        if wanted.audio:
            audio = await asyncio.to_thread(host.read_audio, clip.path, clip.duration_s)
    return DecodedClip(clip, frames, last_frame, audio)


@contextmanager
def errors_name_the_charge(saved: Clip) -> Iterator[None]:
    """Let each error that comes up while a saved file is read say what was paid for it.

    Raises:
        ViduError: Whatever came up; UnexpectedError for what is none.
    """
    try:
        yield
    except ViduError as error:
        raise error.with_charge(saved.charge, saved.request_id) from error
    except Exception as error:
        log.exception("Request %s is saved, and its file was not read.", saved.request_id)
        raise UnexpectedError(
            f"Request {saved.request_id} stopped with an unexpected "
            f"{type(error).__name__}: {error}",
            charge=saved.charge,
            request_id=saved.request_id,
        ) from error


def frames_size(request: Request, wanted: Wanted) -> int:
    """Return the most bytes that the wanted frames of a request's clip will take."""
    endpoint, options = request.endpoint, request.options
    frame_count = math.ceil(endpoint.most_seconds(options, request.shapes) * FPS)
    count = wanted.count(frame_count) if wanted.frames else 0
    return frames_bytes(endpoint.most_pixels(options), count + wanted.last_frame)
