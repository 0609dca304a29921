"""What one run of one shot works with, handed from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .entry import Entry
from .ledger import Ledger
from .platform import Platform
from .progress import Phase, Progress, Tell
from .settings import Settings

Names = Callable[[int, int], Iterator[Path]]
"""Given a width and height in pixels: the paths a clip may be kept at, the best first, no end."""


def numbered_names(folder: Path | str, stem: str) -> Names:
    """Return names `stem`_00001.mp4 and up in `folder`, whatever the clip's size."""

    def names(width: int, height: int) -> Iterator[Path]:
        place = Path(folder).absolute()
        return (place / f"{stem}_{number:05}.mp4" for number in count(1))

    return names


@dataclass(frozen=True)
class Run:
    """The tools of one run.

    Args:
        platform: fal, or its stand-in.
        ledger: Where each step is written down.
        names: Where the clip may be kept.
        metadata: Texts to carry inside the file.
        settings: Limits.
        tell: Told of each moment.
        started_at: The ledger's time when the run began, in seconds since 1970.
        may_pay: Whether a shot that fal has no clip of may be made anew.
    """

    platform: Platform
    ledger: Ledger
    names: Names
    metadata: Mapping[str, str]
    settings: Settings
    tell: Tell
    started_at: float
    may_pay: bool

    def say(self, phase: Phase, text: str, fraction: float) -> None:
        """Tell of a moment."""
        self.tell(Progress(phase, text, fraction))

    def warn(self, phase: Phase, text: str, fraction: float) -> None:
        """Tell of a moment that must not be overlooked."""
        self.tell(Progress(phase, text, fraction, warning=True))

    def waiting(self) -> None:
        """Tell that another run holds this shot's turn."""
        self.say(Phase.WAITING, "Another run makes this very shot: waiting to share its clip", 0.0)

    def posted(self, entry: Entry) -> bool:
        """Tell whether the paid request of `entry` was made in this run."""
        return entry.posted_at is not None and entry.posted_at >= self.started_at

    def life_s(self, entry: Entry) -> float:
        """Return how long the request of `entry` can live from `posted_at` on, in seconds."""
        return self.settings.request_life_s if entry.life_s is None else entry.life_s

    def sees(self, entry: Entry) -> bool:
        """Tell whether the platform, asked about `entry`, is asked in the name that made it."""
        return entry.account in (None, self.platform.account)

    def anew(self, entry: Entry) -> str:
        """Return the sentence that tells how to pay for this shot again on purpose."""
        return (
            "To pay for it anew on purpose, forget it first, in the library or with: "
            + self.ledger.forget_command(entry)
        )
