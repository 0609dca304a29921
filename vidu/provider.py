"""The face that fal and its local stand-in share, and what a request may be doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """It is over; the result tells how."""

    failed: bool


JobStatus = Queued | Running | Completed


class Provider(Protocol):
    """What `generate` asks of a provider; `Fal` says what each call means and raises."""

    charges: bool
    """Whether its clips cost money."""

    account: str
    """Whose requests it sees: the same for the same key, and nothing that tells the key."""

    async def upload(self, still: Medium) -> str:
        """Upload one first frame and return its URL."""

    async def submit(self, endpoint: Endpoint, arguments: Mapping[str, Any]) -> RequestHandle:
        """Make the paid request, once."""

    async def status(self, handle: RequestHandle) -> JobStatus:
        """Ask once what the request is doing."""

    async def result(self, handle: RequestHandle, *, failed: bool) -> Output:
        """Fetch what the completed request made."""

    def cancel(self, handle: RequestHandle) -> None:
        """Ask to cancel; blocks, so it is called in a thread."""

    async def find_lost_request(
        self, endpoint_id: str, arguments: Mapping[str, Any], submitting_at: float
    ) -> RequestHandle | None:
        """Look for the ended request that had exactly these arguments."""

    async def find_output(self, endpoint_id: str, handle: RequestHandle) -> Output | None:
        """Look for the output of a request whose result is no longer served."""

    async def download(self, output: Output, part: Path, on_progress: ProgressCallback) -> None:
        """Bring the clip into the file `part`."""
