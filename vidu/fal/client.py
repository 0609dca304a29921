"""The provider: upload, submit at most once, status, result, cancel, find a lost request.

fal-client uploads, reads the status and cancels; the paid POST is ours. fal-client 1.0.3 repeats
a POST up to ten times when the reply is lost, and each that had arrived is a paid job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import fal_client

from ..credentials import Secret
from ..endpoint import Endpoint
from ..errors import (
    ApiStatusError,
    Charge,
    ConnectionFailedError,
    DownloadError,
    GenerationError,
    RateLimitedError,
    ServiceError,
    SubmissionUnknownError,
    UnreadableResponseError,
    UploadError,
)
from ..media.medium import Medium
from ..models import Output, RequestHandle
from ..progress import ProgressCallback
from ..provider import Completed, JobStatus, Queued, Running
from ..retry import retry
from ..settings import Settings
from .download import download
from .history import RequestHistory
from .http import NoRetryClient, RequestSentTrace, cdn_client
from .request_handles import has_fal_urls, parse_request_handle, require_fal_urls
from .responses import error_from_response, json_body
from .results import billable_units, error_from_result, is_final, parse_output
from .uploads import Storage

QUEUE = "https://queue.fal.run"
UPLOAD_TIMEOUT_S = 30.0
FAILED_RESULT_TIMEOUT_S = 10.0
CANCEL_LIMIT_S = 5.0


class Fal:
    """One client for one run: an httpx client is bound to the event loop it was first used in.

    Args:
        key: The fal key; it is sent to fal's queue, storage and listing alone.
        settings: Limits on waiting.
    """

    charges = True

    def __init__(self, key: Secret, settings: Settings = Settings()) -> None:  # noqa: B008 (frozen)
        self.account = key.account
        self._key = key
        self._settings = settings
        self._http = NoRetryClient(key, float(settings.read_timeout_s))
        self._cdn = cdn_client(float(settings.read_timeout_s))  # the key never goes there
        self._storage = Storage(key, float(settings.read_timeout_s))
        self._history = RequestHistory(self._http, settings.max_lifetime_s)

    async def __aenter__(self) -> Fal:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cdn.aclose()
        await self._http.aclose()

    async def upload(self, still: Medium) -> str:
        """Upload one first frame and return its URL, which is new each time.

        Raises:
            UploadError: It did not arrive, after several tries.
            ViduError: The key or the account is refused.
        """
        try:
            return await retry(
                lambda: self._storage.put(still),
                timeout_s=min(UPLOAD_TIMEOUT_S, float(self._settings.retry_timeout_s)),
            )
        except ServiceError as problem:
            raise UploadError(
                f"The image could not be uploaded: {problem.message}",
                status_code=problem.status_code,
            ) from problem

    async def submit(self, endpoint: Endpoint, arguments: Mapping[str, Any]) -> RequestHandle:
        """Make the paid POST, once.

        Run it as a task of its own: cancelled before a byte has left, it raises
        ConnectionFailedError.

        Raises:
            SubmissionUnknownError: It may or may not have arrived.
            ViduError: Any other: it certainly did not.
        """
        watch = RequestSentTrace()
        try:
            response = await self._http.post(
                f"{QUEUE}/{endpoint.id}",
                json=dict(arguments),
                # fal ends the request, unbilled, when no runner took it within this time.
                headers={"X-Fal-Request-Timeout": f"{self._settings.queue_limit_s:f}"},
                extensions={"trace": watch},
            )
        except asyncio.CancelledError:
            if watch.may_have_left:
                raise
            raise ConnectionFailedError("The request was stopped before it left.") from None
        except RateLimitedError:
            raise
        except ServiceError as problem:
            if not watch.may_have_left:
                raise
            raise SubmissionUnknownError(
                f"No clear reply to the paid request: {problem.message}"
            ) from None
        if response.is_server_error:
            raise SubmissionUnknownError(
                f"No clear reply to the paid request: {error_from_response(response).message}"
            )
        if not response.is_success:
            raise error_from_response(response)
        handle = parse_request_handle(response)
        if handle is None:
            raise SubmissionUnknownError("fal's reply to the paid request cannot be read.")
        return handle if has_fal_urls(handle) else self._by_id(endpoint.id, handle.request_id)

    async def status(self, handle: RequestHandle) -> JobStatus:
        """Ask once what the request is doing.

        Raises:
            ServiceError: It could not be asked; `retryable` tells whether it may be later.
            ViduError: The key or the account is refused.
        """
        try:
            status = await self._handle(handle).status()
        except fal_client.FalClientHTTPError as error:
            raise error_from_response(error.response) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableResponseError("fal's status cannot be read.") from error
        if isinstance(status, fal_client.Queued):
            return Queued(status.position if isinstance(status.position, int) else None)
        if isinstance(status, fal_client.Completed):
            return Completed(failed=bool(status.error))
        return Running()

    async def result(self, handle: RequestHandle, *, failed: bool) -> Output:
        """Fetch what the completed request made.

        Args:
            handle: The request.
            failed: Whether its status told of an error. A server error without words is then the
                request's own; else it is the server's, and is asked past.

        Raises:
            GenerationError: It made an error.
            DownloadError: It made no video.
            ApiStatusError: fal does not know the request any more (404).
        """
        timeout_s = FAILED_RESULT_TIMEOUT_S if failed else float(self._settings.retry_timeout_s)
        try:
            return await retry(lambda: self._result_once(handle, failed), timeout_s=timeout_s)
        except ApiStatusError as problem:
            if failed and (problem.status_code or 0) >= 500:
                raise GenerationError(
                    f"fal could not generate the clip: {problem.message}",
                    charge=Charge.NOT_SPENT,
                    request_id=handle.request_id,
                ) from problem
            raise

    def cancel(self, handle: RequestHandle) -> None:
        """Ask fal to cancel; it is no error when the request has completed already.

        Blocks for up to 5 s. It works in a thread, a loop and on a client of its own, so that it
        outlives the loop that is torn down around it, and no slow look-up of a name holds it up.

        Raises:
            ServiceError: fal could not be asked.
        """
        answer: Future[None] = Future()

        def ask() -> None:
            try:
                answer.set_result(asyncio.run(self._cancel_apart(handle)))
            except Exception as error:
                answer.set_exception(error)

        Thread(target=ask, daemon=True).start()
        try:
            answer.result(CANCEL_LIMIT_S)
        except FutureTimeout:
            raise ConnectionFailedError("fal did not answer to the cancelling.") from None

    async def find_lost_request(
        self, endpoint_id: str, arguments: Mapping[str, Any], submitting_at: float
    ) -> RequestHandle | None:
        """Look for the ended request that had exactly these arguments.

        Args:
            endpoint_id: fal's id of the endpoint that was asked.
            arguments: The body of the paid POST.
            submitting_at: When it was made, in seconds since 1970.

        Raises:
            ServiceError: The listing cannot be read.
        """
        request_id = await self._history.find(endpoint_id, arguments, submitting_at)
        return self._by_id(endpoint_id, request_id) if request_id else None

    async def find_output(self, endpoint_id: str, handle: RequestHandle) -> Output | None:
        """Look for the output of a request whose result is no longer served.

        Raises:
            ServiceError: The listing cannot be read.
        """
        return await retry(
            lambda: self._history.output(endpoint_id, handle.request_id),
            timeout_s=float(self._settings.retry_timeout_s),
        )

    async def download(self, output: Output, part: Path, on_progress: ProgressCallback) -> None:
        """Download the clip to the file `part`; see `download.download`."""
        await download(
            self._cdn, output.video_url, part, output.video_size, self._settings, on_progress
        )

    async def check_key(self) -> None:
        """Ask for a request that does not exist: free, and 404 for a good key.

        Raises:
            ViduError: The key is not accepted, or fal could not be asked.
        """
        response = await self._http.get(f"{QUEUE}/fal-ai/vidu/requests/{uuid4()}/status")
        if response.status_code != 404:
            raise error_from_response(response)

    async def _result_once(self, handle: RequestHandle, failed: bool) -> Output:
        response = await self._http.get(require_fal_urls(handle).response_url)
        if response.is_success:
            output = parse_output(json_body(response), billable_units(response))
            if output is None:
                raise DownloadError(
                    "fal says the clip is finished but names no video.",
                    "Run the same shot again to ask once more, free; if that does not help, "
                    f"ask fal's support about request {handle.request_id}.",
                    request_id=handle.request_id,
                )
            return output
        if is_final(response, failed=failed):
            raise error_from_result(response, handle.request_id)
        raise error_from_response(response)

    async def _cancel_apart(self, handle: RequestHandle) -> None:
        async with Fal(self._key, self._settings) as fal:
            try:
                await asyncio.wait_for(fal._handle(handle).cancel(), CANCEL_LIMIT_S)
            except asyncio.TimeoutError:
                return  # nobody waits any more
            except fal_client.FalClientHTTPError as error:
                if error.status_code not in (400, 404):
                    raise error_from_response(error.response) from error

    def _handle(self, handle: RequestHandle) -> fal_client.AsyncRequestHandle:
        require_fal_urls(handle)
        return fal_client.AsyncRequestHandle(
            request_id=handle.request_id,
            response_url=handle.response_url,
            status_url=handle.status_url,
            cancel_url=handle.cancel_url,
            client=self._http,
        )

    def _by_id(self, endpoint_id: str, request_id: str) -> RequestHandle:
        handle = fal_client.AsyncRequestHandle.from_request_id(self._http, endpoint_id, request_id)
        return RequestHandle(request_id, handle.status_url, handle.response_url, handle.cancel_url)
