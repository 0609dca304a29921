"""The one decode of a clip: of a new one while it is checked, of a saved one on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ClipTooLargeError
from .container import check_end
from .decode_turns import DecodeTurns
from .probe import Probe, read_packets
from .rotation import as_stored
from .video import (
    DecodeCancelledError,
    check,
    convert,
    decode,
    decode_last_frame,
    empty_frames,
    needed_bytes,
    opened_frames,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Decoded(NamedTuple):
    """What was asked for of a clip; None is what was not.

    Args:
        frames: float32 [N, H, W, 3], RGB, 0..1, upright.
        last_frame: float32 [1, H, W, 3]: the clip's own last frame, whatever `frames` holds.
    """

    frames: NDArray[np.float32] | None
    last_frame: NDArray[np.float32] | None


class ClipDecoder:
    """Makes what is asked for of one clip; a new clip is checked by the same decode.

    Args:
        frames: Whether the frames are asked for.
        last_frame: Whether the last frame is.
        every_nth: Take frame 0 and every n-th after it.
        max_frames: Take at most this many of those; 0 is all.
        turns: What the clips of a batch share, so that few are decoded at a time.
    """

    def __init__(
        self,
        *,
        frames: bool,
        last_frame: bool,
        every_nth: int = 1,
        max_frames: int = 0,
        turns: DecodeTurns,
    ) -> None:
        self._frames = frames
        self._last_frame = last_frame
        self._every_nth = every_nth
        self._max_frames = max_frames
        self._turns = turns
        self._cancelled = threading.Event()
        self._decoded: Decoded | None = None

    def cancel(self) -> None:
        """End the decode, also one that waits for its turn; from any thread."""
        self._cancelled.set()

    def check(self, path: Path, *, require_end: bool = False) -> Probe:
        """Decode every frame, keep those that are asked for, and return what the clip is made of.

        Frames that do not fit into memory are not a reason to refuse the clip; `take` says so.

        Raises:
            CorruptClipError: The clip is not whole.
            DecodeCancelledError: `cancel` was called.
        """
        self._decoded = None
        stop = self._cancelled.is_set
        if not self._frames and not self._last_frame:
            with self._turn(0):
                return check(path, require_end=require_end, stop=stop)
        stored = read_packets(path)
        with self._turn(self._needed_bytes(stored)) as threads:
            with suppress(ClipTooLargeError):
                clip, decoded = self._decode_all(path, stored, threads)
                check_end(path, clip.last_frame_ends_s, require_end=require_end)
                self._decoded = decoded
                return clip
            return check(path, require_end=require_end, stop=stop)

    def take(self, path: Path) -> Decoded:
        """Return what is asked for of the saved clip, and let go of it.

        Args:
            path: Where the clip is saved. It is only read when this decoder did not check it.

        Raises:
            CorruptClipError: The file does not decode.
            ClipTooLargeError: Its frames do not fit into memory.
            DecodeCancelledError: `cancel` was called.
        """
        decoded, self._decoded = self._decoded, None
        if decoded is not None:
            return decoded
        if not self._frames and not self._last_frame:
            return Decoded(None, None)
        with self._turn(self._needed_bytes(read_packets(path))) as threads:
            return self._decode_saved(path, threads)

    def forget(self) -> None:
        """Let go of what was decoded and not taken, such as that of a clip that was not saved."""
        self._decoded = None

    @contextmanager
    def _turn(self, needed_bytes: int) -> Iterator[int]:
        with self._turns.take(needed_bytes) as threads:
            if self._cancelled.is_set():
                raise DecodeCancelledError
            yield threads

    def _decode_saved(self, path: Path, threads: int) -> Decoded:
        if self._frames and not self._max_frames:
            return self._decode_all(path, read_packets(path), threads)[1]
        stop = self._cancelled.is_set
        frames = last = None
        if self._frames:
            frames = decode(
                path,
                every_nth=self._every_nth,
                max_frames=self._max_frames,
                threads=threads,
                stop=stop,
                available=self._turns.available,
            )
        if self._last_frame:
            last = decode_last_frame(path, stop=stop)
        return Decoded(frames, last)

    def _decode_all(self, path: Path, stored: Probe, threads: int) -> tuple[Probe, Decoded]:
        free = self._turns.available()  # before libav takes its part of what is needed
        with opened_frames(path, stored, self._cancelled.is_set) as (clip, decoded):
            frames, last = self._allocate(clip, free)
            convert(decoded, self._targets(clip, frames, last), threads=threads)
        return clip, Decoded(frames, last)

    def _needed_bytes(self, clip: Probe) -> int:
        count = (len(self._picks(clip)) if self._frames else 0) + self._last_frame
        return needed_bytes(clip, count)

    def _picks(self, clip: Probe) -> range:
        return range(0, clip.frame_count, self._every_nth)[: self._max_frames or None]

    def _allocate(
        self, clip: Probe, available: int
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        frames = empty_frames(clip, len(self._picks(clip)), available) if self._frames else None
        return frames, empty_frames(clip, 1, available) if self._last_frame else None

    def _targets(
        self,
        clip: Probe,
        frames: NDArray[np.float32] | None,
        last_frame: NDArray[np.float32] | None,
    ) -> dict[int, list[NDArray[np.float32]]]:
        targets: dict[int, list[NDArray[np.float32]]] = {}
        if frames is not None:
            places = as_stored(frames, clip.rotation, mirrored=clip.mirrored)
            targets = {
                index: [place] for index, place in zip(self._picks(clip), places, strict=True)
            }
        if last_frame is not None:
            place = as_stored(last_frame, clip.rotation, mirrored=clip.mirrored)[0]
            targets.setdefault(clip.frame_count - 1, []).append(place)
        return targets
