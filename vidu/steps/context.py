"""The tools of one run, which are handed from step to step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..destination import Destination
from ..ledger import Budget, Ledger
from ..media.video import Check, check
from ..models import Entry
from ..progress import Phase, Progress, ProgressCallback
from ..provider import Provider
from ..request import SEED_MAX, Request
from ..settings import Settings


def draw_seed() -> int:
    """Return a random seed, 1..2147483647."""
    return secrets.randbelow(SEED_MAX) + 1


def report_waiting(on_progress: ProgressCallback | None) -> Callable[[str], None]:
    """Return what reports that another run, on the machine of this name, holds the lock."""

    def report(host: str) -> None:
        where = f" on {host}" if host else ""
        text = f"This shot is already being generated{where}: waiting for that clip"
        if on_progress:
            on_progress(Progress(Phase.WAITING, text, 0.0))

    return report


@dataclass(frozen=True)
class Context:
    """The tools of one run.

    Args:
        provider: fal, or its stand-in.
        ledger: Where each step is written down.
        destination: Where the clip is saved.
        metadata: Texts to carry inside the file.
        settings: Limits.
        request: The shot; None when only what was paid for is resumed, and nothing may be paid.
        on_progress: Called with each moment of progress.
        cancelled_by_user: Asked when the task is cancelled; None means that nobody cancels at fal.
        check: Tells whether a downloaded clip is whole; called in a thread, once for each download.
        draw_seed: Draws a seed, 1..2147483647.
        budget: What the day and this run may cost.
    """

    provider: Provider
    ledger: Ledger
    destination: Destination
    metadata: Mapping[str, str]
    settings: Settings
    request: Request | None
    on_progress: ProgressCallback | None = None
    cancelled_by_user: Callable[[], bool] | None = None
    check: Check = check
    draw_seed: Callable[[], int] = draw_seed
    budget: Budget = Budget()  # noqa: RUF009 (frozen)

    def notify(self, progress: Progress) -> None:
        """Hand a moment of progress on, if anybody wants it."""
        if self.on_progress:
            self.on_progress(progress)

    def report(self, phase: Phase, text: str, fraction: float) -> None:
        """Report a moment of progress."""
        self.notify(Progress(phase, text, fraction))

    def warn(self, phase: Phase, text: str, fraction: float) -> None:
        """Report a moment that must not be overlooked."""
        self.notify(Progress(phase, text, fraction, warning=True))

    def is_cancelled_by_user(self) -> bool:
        """Return whether it is the user who cancelled the task."""
        return self.cancelled_by_user is not None and self.cancelled_by_user()

    def same_account(self, entry: Entry) -> bool:
        """Return whether the provider is asked with the key of the account that made `entry`."""
        return entry.account in (None, self.provider.account)

    def regenerate_hint(self, entry: Entry) -> str:
        """Return the sentence that says how to pay for this shot again on purpose."""
        return (
            "To pay for a new clip, delete this entry first, in the library or with: "
            + self.ledger.delete_command(entry)
        )
