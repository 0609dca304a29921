"""The interface that fal and the draft provider share, and the states of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from .endpoint import Endpoint
from .media.medium import Medium
from .models import Output, RequestHandle
from .progress import ProgressCallback


@dataclass(frozen=True)
class Queued:
    """It waits for a runner, with `position` requests ahead of it."""

    position: int | None


@dataclass(frozen=True)
class Running:
    """It is being made."""


@dataclass(frozen=True)
class Completed:
    """It is over; the result tells how.

    Args:
        failed: Whether it ended with an error.
        inference_time_s: How long it ran, when it ran and fal says it.
    """

    failed: bool
    inference_time_s: float | None = None


class CancelReply(Enum):
    """What fal answered to a cancel request."""

    REMOVED = "removed"
    """It was taken out of the queue; it never ran and is not billed."""

    REQUESTED = "requested"
    """It is told to stop; it may finish all the same, and be billed."""

    COMPLETED = "completed"
    """It was over already."""

    NOT_FOUND = "not found"
    """fal does not know it."""


class Length(Enum):
    """What is known of the length of a downloaded file."""

    CONFIRMED = "confirmed"
    """It was told, and this many bytes came."""

    ENDED = "ended"
    """The server ended the file in order, but no length confirms that it had all of it itself."""

    DOUBTFUL = "doubtful"
    """Only the end of the connection ended it, or fal reported more bytes."""


JobStatus = Queued | Running | Completed


class Provider(Protocol):
    """What `generate` asks of a provider; `Fal` says what each call means and raises."""

    charges: bool
    """Whether its clips cost money."""

    account: str
    """Whose requests it sees: the same for the same key, and nothing that tells the key."""

    async def upload(self, medium: Medium) -> str:
        """Upload a medium and return its URL."""

    async def submit(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        *,
        before_sending: Callable[[], Awaitable[None]] | None = None,
    ) -> RequestHandle:
        """Make the paid request, once."""

    async def status(self, handle: RequestHandle) -> JobStatus:
        """Return what the request is doing."""

    async def result(
        self, handle: RequestHandle, completed: Completed, *, may_have_run: bool
    ) -> Output:
        """Fetch what the completed request made."""

    def cancel(self, handle: RequestHandle) -> CancelReply:
        """Ask to cancel; blocks, so it is called in a thread."""

    async def find_lost_request(
        self,
        endpoint_id: str,
        arguments: Mapping[str, Any],
        since: float | None,
        earliest: float | None,
        *,
        is_known: Callable[[str], Awaitable[bool]],
    ) -> RequestHandle | None:
        """Look for the ended request that had these arguments."""

    async def find_output(self, endpoint_id: str, handle: RequestHandle) -> Output | None:
        """Look for the output of a request whose result is no longer served."""

    async def download(self, output: Output, part: Path, on_progress: ProgressCallback) -> Length:
        """Bring the output into the file `part`; return what is known of its length."""

    async def server_time(self) -> float | None:
        """Return the provider's own time in seconds since 1970, or None when it is not known."""
