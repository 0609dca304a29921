"""What one run of one shot works with, handed from step to step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..ledger.ledger import Ledger
from ..models import Entry
from ..progress import Phase, Progress, ProgressCallback
from ..provider import Provider
from ..settings import Settings

Names = Callable[[int, int], Iterator[Path]]
"""Given a width and height in pixels: the paths a clip may be saved at, the best first, no end."""


def numbered_names(folder: Path | str, stem: str) -> Names:
    """Return names `stem`_00001.mp4 and up in `folder`, whatever the clip's size."""

    def names(width: int, height: int) -> Iterator[Path]:
        place = Path(folder).absolute()
        return (place / f"{stem}_{number:05}.mp4" for number in count(1))

    return names


@dataclass(frozen=True)
class Context:
    """The tools of one run.

    Args:
        provider: fal, or its stand-in.
        ledger: Where each step is written down.
        names: Where the clip may be saved.
        metadata: Texts to carry inside the file.
        settings: Limits.
        on_progress: Told of each moment.
        started_at: The ledger's time when the run began, in seconds since 1970.
        may_pay: Whether a shot that fal has no clip of may be made anew.
    """

    provider: Provider
    ledger: Ledger
    names: Names
    metadata: Mapping[str, str]
    settings: Settings
    on_progress: ProgressCallback
    started_at: float
    may_pay: bool

    def report(self, phase: Phase, text: str, fraction: float) -> None:
        """Tell of a moment."""
        self.on_progress(Progress(phase, text, fraction))

    def warn(self, phase: Phase, text: str, fraction: float) -> None:
        """Tell of a moment that must not be overlooked."""
        self.on_progress(Progress(phase, text, fraction, warning=True))

    def on_waiting(self) -> None:
        """Tell that another run holds this shot's turn."""
        self.report(
            Phase.WAITING, "Another run makes this very shot: waiting to share its clip", 0.0
        )

    def paid_in_this_run(self, entry: Entry) -> bool:
        """Return whether the paid request of `entry` was made in this run."""
        return entry.submitting_at is not None and entry.submitting_at >= self.started_at

    def max_lifetime_s(self, entry: Entry) -> float:
        """Return how long the request of `entry` can live from `submitting_at` on, in seconds."""
        return (
            self.settings.max_lifetime_s if entry.max_lifetime_s is None else entry.max_lifetime_s
        )

    def same_account(self, entry: Entry) -> bool:
        """Return whether the provider, asked about `entry`, is asked in the name that made it."""
        return entry.account in (None, self.provider.account)

    def regenerate_hint(self, entry: Entry) -> str:
        """Return the sentence that tells how to pay for this shot again on purpose."""
        return (
            "To pay for it anew on purpose, forget it first, in the library or with: "
            + self.ledger.delete_command(entry)
        )
