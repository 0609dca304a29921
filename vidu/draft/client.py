"""The draft provider: it draws on this machine what a request asks for."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ..endpoint import Endpoint
from ..media.medium import Medium
from ..media.video import DecodeCancelledError
from ..models import Output, RequestHandle
from ..progress import Phase, Progress, ProgressCallback
from ..provider import CancelReply, Completed, JobStatus, Length
from ..threads import run_in_thread_until_done
from .drawing import draw


class Draft:
    """The face of `Fal` with nothing behind it: no key, no network, no cost.

    What is uploaded stays here, a request completes at once, and its output is drawn when it is
    downloaded.
    """

    charges = False
    account = ""

    def __init__(self) -> None:
        self._media: dict[str, Medium] = {}
        self._requests: dict[str, tuple[Endpoint, Mapping[str, Any]]] = {}

    async def upload(self, medium: Medium) -> str:
        """Keep the medium."""
        url = f"draft:{uuid.uuid4().hex}"
        self._media[url] = medium
        return url

    async def submit(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        *,
        before_sending: Callable[[], Awaitable[None]] | None = None,
    ) -> RequestHandle:
        """Take the request."""
        if before_sending:
            await before_sending()
        request_id = f"draft-{uuid.uuid4().hex}"
        self._requests[request_id] = endpoint, arguments
        return RequestHandle(request_id, "", "", "")

    async def status(self, handle: RequestHandle) -> JobStatus:
        """Say that it is done."""
        return Completed(failed=False)

    async def result(
        self, handle: RequestHandle, completed: Completed, *, may_have_run: bool
    ) -> Output:
        """Return where the output will come from."""
        return Output(handle.request_id)

    def cancel(self, handle: RequestHandle) -> CancelReply:
        """Do nothing: a draft is complete as soon as it is submitted."""
        return CancelReply.COMPLETED

    async def find_lost_request(
        self,
        endpoint_id: str,
        arguments: Mapping[str, Any],
        since: float | None,
        earliest: float | None,
        *,
        is_known: Callable[[str], Awaitable[bool]],
    ) -> RequestHandle | None:
        """Find nothing, for nothing is ever lost."""
        return None

    async def find_output(self, endpoint_id: str, handle: RequestHandle) -> Output | None:
        """Find nothing, for nothing is ever lost."""
        return None

    async def server_time(self) -> float | None:
        """Return nothing: no request of a draft outlives its process."""
        return None

    async def download(self, output: Output, part: Path, on_progress: ProgressCallback) -> Length:
        """Draw the clip or the still."""
        on_progress(Progress(Phase.GENERATING, "Drawing the draft", 0.5))
        stop = threading.Event()
        await run_in_thread_until_done(self._draw, output, part, stop.is_set, on_cancel=stop.set)
        return Length.CONFIRMED

    def _draw(self, output: Output, part: Path, stop: Callable[[], bool]) -> None:
        endpoint, arguments = self._requests[output.url]
        try:
            draw(part, endpoint, arguments, self._media, stop)
        except DecodeCancelledError:
            part.unlink(missing_ok=True)
            raise
