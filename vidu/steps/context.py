"""The tools of one run, which are handed from step to step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..destination import Destination
from ..ledger import Ledger
from ..models import Entry
from ..progress import Phase, Progress, ProgressCallback
from ..provider import Provider
from ..request import Request
from ..settings import Settings


@dataclass(frozen=True)
class Context:
    """The tools of one run.

    Args:
        provider: fal, or its stand-in.
        ledger: Where each step is written down.
        destination: Where the clip is saved.
        metadata: Texts to carry inside the file.
        settings: Limits.
        request: The shot; None when only what was paid for is collected, and nothing may be paid.
        on_progress: Called with each moment of progress.
        cancelled_by_user: Asked when the task is cancelled; None means that nobody cancels at fal.
    """

    provider: Provider
    ledger: Ledger
    destination: Destination
    metadata: Mapping[str, str]
    settings: Settings
    request: Request | None
    on_progress: ProgressCallback | None = None
    cancelled_by_user: Callable[[], bool] | None = None

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

    def on_waiting(self, host: str) -> None:
        """Report that another run holds the lock of this shot, on `host` if not on this machine."""
        where = f" on {host}" if host else ""
        self.report(
            Phase.WAITING,
            f"This shot is already being generated{where}: waiting for that clip",
            0.0,
        )

    def max_lifetime_s(self, entry: Entry) -> float:
        """Return how long the request of `entry` can be under way, in seconds."""
        if entry.max_lifetime_s is None:
            return self.settings.max_lifetime_s
        return entry.max_lifetime_s

    def same_account(self, entry: Entry) -> bool:
        """Return whether the provider is asked with the key of the account that made `entry`."""
        return entry.account in (None, self.provider.account)

    def regenerate_hint(self, entry: Entry) -> str:
        """Return the sentence that says how to pay for this shot again on purpose."""
        return (
            "To pay for a new clip, delete this entry first, in the library or with: "
            + self.ledger.delete_command(entry)
        )
