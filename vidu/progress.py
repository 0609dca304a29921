"""The progress of one shot: a phase, a text and a fraction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Phase(str, Enum):
    """Where on its way a shot is."""

    WAITING = "waiting"
    UPLOADING = "uploading"
    SUBMITTING = "submitting"
    SEARCHING = "searching"
    QUEUED = "queued"
    GENERATING = "generating"
    DOWNLOADING = "downloading"
    CHECKING = "checking"
    DECODING = "decoding"
    DONE = "done"


@dataclass(frozen=True)
class Progress:
    """One moment of one shot.

    Args:
        phase: Where on its way the shot is.
        text: A short line for the user.
        fraction: How much of the whole is done, 0..1; an estimate while fal generates.
        warning: Whether the line must not be overlooked: it is logged as well.
    """

    phase: Phase
    text: str
    fraction: float
    warning: bool = False


ProgressCallback = Callable[[Progress], None]
"""Called with each moment, from the event loop's thread; it must return at once."""


USUAL_GENERATION_S = 60.0
"""Vidu takes about 30 to 90 s (reference: fal.md 5.4)."""


def queued(position: int | None, elapsed_s: float) -> Progress:
    """Return the moment of waiting for a runner with `position` requests ahead."""
    place = "" if position is None else f", {position} ahead"
    return Progress(Phase.QUEUED, f"In fal's queue{place} ({elapsed_s:.0f} s)", 0.1)


def generating(elapsed_s: float) -> Progress:
    """Return the moment of generating; the fraction nears but never reaches its end."""
    share = elapsed_s / (elapsed_s + USUAL_GENERATION_S / 2)
    return Progress(Phase.GENERATING, f"Generating ({elapsed_s:.0f} s)", 0.1 + 0.75 * share)


def downloading(received: int, total: int | None) -> Progress:
    """Return the moment of downloading, in bytes."""
    share = min(1.0, received / total) if total else 0.5
    size = f"{received / 1e6:.1f}" + (f" of {total / 1e6:.1f}" if total else "")
    return Progress(Phase.DOWNLOADING, f"Downloading ({size} MB)", 0.85 + 0.1 * share)
