"""fal as a provider: upload, submit at most once, status, result, cancel, find a lost request.

fal-client reads the status and knows fal's second domain; the paid POST is ours. fal-client 1.0.3
repeats a POST up to ten times when the response is lost, and each that had arrived is a paid job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..credentials import Secret
from ..endpoint import Endpoint
from ..errors import (
    ApiStatusError,
    Charge,
    GenerationError,
    ServiceError,
    UnsafeUrlError,
    ViduError,
)
from ..media.medium import Medium
from ..models import Output, RequestHandle
from ..progress import ProgressCallback
from ..provider import CancelReply, Completed, JobStatus, Length
from ..retry import is_retryable, retry
from ..settings import Settings
from .cancel import cancel_request
from .certificates import create_tls_context
from .download import download
from .history import RequestHistory
from .http import FRESH, NoRetryClient, create_cdn_client
from .request_handles import QUEUE, handle_by_id
from .responses import error_from_response
from .safe_url import check_url
from .server_clock import ServerClock
from .status import read_result, read_status
from .submission import post_request
from .uploads import Uploads

CDN = "https://v3b.fal.media"
UPLOAD_TIMEOUT_S = 30.0
FAILED_RESULT_TIMEOUT_S = 10.0
YOUNG_S = 10.0
"""How long after the submit not every server of fal's need know the request."""


class Fal:
    """One client for one run: an httpx client is bound to the event loop it was first used in.

    Args:
        key: The fal key; it is sent to fal's queue, storage and listing alone.
        settings: Limits on waiting.

    Raises:
        InvalidSettingError: The proxy or the certificates of this system cannot be used.
    """

    charges = True

    def __init__(self, key: Secret, settings: Settings = Settings()) -> None:  # noqa: B008 (frozen)
        self.account = key.account
        self._key = key
        self._settings = settings
        self._retry_timeout_s, read_timeout_s = settings.retry_timeout_s, settings.read_timeout_s
        context = self._tls_context = create_tls_context()
        self._clock = ServerClock()
        self._http = NoRetryClient(context, self._clock, read_timeout_s, key)
        self._storage = NoRetryClient(context, self._clock, read_timeout_s)
        self._cdn = create_cdn_client(context, read_timeout_s)  # the key never goes there
        self._uploads = Uploads(
            self._http,
            self._storage,
            read_timeout_s,
            min(UPLOAD_TIMEOUT_S, self._retry_timeout_s),
        )
        self._history = RequestHistory(self._http, self._clock.now)
        self._first_asked_at: dict[str, float] = {}
        self._is_cdn_checked = False
        self._asking_time = asyncio.Lock()

    async def __aenter__(self) -> Fal:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._uploads.aclose()
        for client in (self._cdn, self._storage, self._http):
            await client.aclose()

    async def upload(self, medium: Medium) -> str:
        """Upload a medium and return its URL; one that was uploaded before is not sent again.

        Raises:
            UploadError: It did not arrive, after several tries.
            ViduError: The key or the account is refused.
        """
        return await self._uploads.upload(medium)

    async def submit(
        self,
        endpoint: Endpoint,
        arguments: Mapping[str, Any],
        *,
        before_sending: Callable[[], Awaitable[None]] | None = None,
    ) -> RequestHandle:
        """Make the paid POST, once, on a connection of its own.

        It may run in any event loop, also in one that this client was not opened in.

        Run it as a task of its own: cancelled before a byte has left, it raises
        ConnectionFailedError.

        Args:
            endpoint: Which model.
            arguments: The body of the POST.
            before_sending: Awaited right before the first byte leaves; what it raises stops the
                POST and is raised here unchanged.

        Raises:
            SubmissionUnknownError: It may or may not have arrived.
            ViduError: Any other: it certainly did not.
        """
        await self._check_cdn()
        client = NoRetryClient(
            self._tls_context, self._clock, self._settings.read_timeout_s, self._key, FRESH
        )
        try:
            return await post_request(
                client, endpoint.id, arguments, self._settings.queue_limit_s, before_sending
            )
        finally:
            with suppress(Exception):  # nothing is worth losing the response for
                await client.aclose()

    async def status(self, handle: RequestHandle) -> JobStatus:
        """Return what the request is doing.

        Raises:
            ServiceError: It could not be asked for `settings.retry_timeout_s`.
            ApiStatusError: fal does not know the request (404).
            ViduError: The key or the account is refused.
        """
        self._first_asked_at.setdefault(handle.request_id, time.monotonic())
        return await retry(
            lambda: read_status(self._http, handle),
            timeout_s=self._retry_timeout_s,
            retry_if=lambda error: (
                is_retryable(error) or (error.status_code == 404 and self._may_be_young(handle))
            ),
        )

    async def result(
        self, handle: RequestHandle, completed: Completed, *, may_have_run: bool
    ) -> Output:
        """Fetch what the completed request made.

        Args:
            handle: The request.
            completed: Its status. Where that reported an error, a server error without words is the
                request's own; else it is the server's, and is asked past.
            may_have_run: Whether it was seen to run, or was not seen to wait in the queue.

        Raises:
            GenerationError: It ended with an error.
            DownloadError: It made no file.
            ApiStatusError: fal does not know the request any more (404).
        """
        failed = completed.failed
        never_ran = not may_have_run and completed.inference_time_s is None
        try:
            return await retry(
                lambda: read_result(self._http, handle, failed=failed, never_ran=never_ran),
                timeout_s=FAILED_RESULT_TIMEOUT_S if failed else self._retry_timeout_s,
            )
        except ApiStatusError as error:
            if failed and (error.status_code or 0) >= 500:
                raise GenerationError(
                    f"The generation failed at fal: {error.message}",
                    charge=Charge.NOT_SPENT,
                    request_id=handle.request_id,
                    status_code=error.status_code,
                ) from error
            raise

    def cancel(self, handle: RequestHandle) -> CancelReply:
        """Ask fal to cancel; blocks for up to 5 s, in which it is tried again and again.

        Raises:
            ServiceError: fal could not be told.
        """
        return cancel_request(handle, self._key)

    async def find_lost_request(
        self,
        endpoint_id: str,
        arguments: Mapping[str, Any],
        since: float | None,
        earliest: float | None,
        *,
        is_known: Callable[[str], Awaitable[bool]],
    ) -> RequestHandle | None:
        """Look for the ended request that had these arguments.

        Args:
            endpoint_id: fal's id of the endpoint that was asked.
            arguments: The body of the paid POST.
            since: When it was made by fal's clock (`server_time`), in seconds since 1970.
            earliest: The least of `since` and the same moment by the ledger's clock.
            is_known: Tells whether the ledger has a request id; such a request is not the lost one.

        Raises:
            ServiceError: The listing cannot be read, or something in it that may be the request.
        """
        request_id = await retry(
            lambda: self._history.find(endpoint_id, arguments, since, earliest, is_known),
            timeout_s=self._retry_timeout_s,
        )
        return handle_by_id(endpoint_id, request_id) if request_id else None

    async def find_output(self, endpoint_id: str, handle: RequestHandle) -> Output | None:
        """Look for the output of a request whose result is no longer served.

        Returns:
            The output, or None when the whole listing was read and lacks the request.

        Raises:
            GenerationError: The listing shows that it ended with an error.
            ServiceError: The listing cannot be read.
        """
        return await retry(
            lambda: self._history.output(endpoint_id, handle.request_id),
            timeout_s=self._retry_timeout_s,
        )

    async def download(self, output: Output, part: Path, on_progress: ProgressCallback) -> Length:
        """Download the output to the file `part`; see `download.download`."""
        return await download(self._cdn, output.url, part, output.size, self._settings, on_progress)

    async def server_time(self) -> float | None:
        """Return fal's own time in seconds since 1970, or None when fal does not tell it.

        The clock of this machine may be off by days. fal is asked, free, when its time is not known
        or when this machine has slept since.
        """
        async with self._asking_time:  # shots side by side ask once
            if self._clock.is_doubtful():
                with suppress(ViduError):
                    await self._http.get(_unknown_request())
        return self._clock.now()

    async def check_key(self) -> None:
        """Ask for a request that does not exist: free, and 404 for a good key.

        Raises:
            ViduError: The key is not accepted, or fal could not be asked.
        """
        response = await self._http.get(_unknown_request())
        if response.status_code != 404:
            raise error_from_response(response)

    async def _check_cdn(self) -> None:
        """Find out before the money moves whether downloads would be refused here."""
        if self._is_cdn_checked:
            return
        try:
            await check_url(CDN)
        except UnsafeUrlError as error:
            raise ServiceError(
                "fal's file server has a private address on this machine, so that nothing could "
                "be downloaded from it: a VPN, tunnel or DNS filter answers in its place.",
                f"Let it leave out fal.media, or answer with 198.18.x addresses; {CDN} must "
                "resolve to public ones. Then run again.",
            ) from error
        self._is_cdn_checked = True

    def _may_be_young(self, handle: RequestHandle) -> bool:
        # By this client's own clock: the ledger's times are of a clock that may be set.
        first_at = self._first_asked_at.setdefault(handle.request_id, time.monotonic())
        return time.monotonic() - first_at < YOUNG_S


def _unknown_request() -> str:
    return f"{QUEUE}/fal-ai/vidu/requests/{uuid4()}/status"
