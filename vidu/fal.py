"""The platform: upload, submit at most once, status, result, cancel, find a lost request.

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

from .credentials import Secret
from .download import download
from .entry import Output, Receipt
from .errors import (
    DownloadFailed,
    GenerationFailed,
    Money,
    RateLimited,
    Refused,
    ServiceProblem,
    SubmitUnknown,
    Unreachable,
    UploadFailed,
)
from .listing import Listing
from .platform import Completed, JobStatus, Queued, Running
from .progress import Tell
from .receipts import is_fals, read_receipt, trusted
from .replies import failure, is_verdict, read_output, refusal
from .request import Endpoint
from .retry import persistently
from .settings import Settings
from .still import Still
from .storage import Storage
from .wire import OneAttempt, SendingWatch, cdn_client

QUEUE = "https://queue.fal.run"
UPLOAD_PATIENCE_S = 30.0
FAILED_PATIENCE_S = 10.0
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
        self._http = OneAttempt(key, float(settings.stall_limit_s))
        self._cdn = cdn_client(float(settings.stall_limit_s))  # the key never goes there
        self._storage = Storage(key, float(settings.stall_limit_s))
        self._listing = Listing(self._http, settings.request_life_s)

    async def __aenter__(self) -> Fal:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cdn.aclose()
        await self._http.aclose()

    async def upload(self, still: Still) -> str:
        """Upload one first frame and return its URL, which is new each time.

        Raises:
            UploadFailed: It did not arrive, after several tries.
            ViduError: The key or the account is refused.
        """
        try:
            return await persistently(
                lambda: self._storage.put(still),
                patience_s=min(UPLOAD_PATIENCE_S, float(self._settings.outage_limit_s)),
            )
        except (Refused, Unreachable) as problem:
            raise UploadFailed(f"The image could not be uploaded: {problem.happened}") from problem

    async def submit(self, endpoint: Endpoint, arguments: Mapping[str, Any]) -> Receipt:
        """Make the paid POST, once.

        Run it as a task of its own: cancelled before a byte has left, it raises Unreachable.

        Raises:
            SubmitUnknown: It may or may not have arrived.
            ViduError: Any other: it certainly did not.
        """
        watch = SendingWatch()
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
            raise Unreachable("The request was stopped before it left.") from None
        except RateLimited:
            raise
        except ServiceProblem as problem:
            if not watch.may_have_left:
                raise
            raise SubmitUnknown(f"No clear reply to the paid request: {problem.happened}") from None
        if response.is_server_error:
            raise SubmitUnknown(f"No clear reply to the paid request: {refusal(response).happened}")
        if not response.is_success:
            raise refusal(response)
        receipt = read_receipt(response)
        if receipt is None:
            raise SubmitUnknown("fal's reply to the paid request can not be read.")
        return receipt if is_fals(receipt) else self._by_id(endpoint.id, receipt.request_id)

    async def status(self, receipt: Receipt) -> JobStatus:
        """Ask once what the request is doing.

        Raises:
            ServiceProblem: It could not be asked; `retry.passes` tells whether it may be later.
            ViduError: The key or the account is refused.
        """
        try:
            status = await self._handle(receipt).status()
        except fal_client.FalClientHTTPError as error:
            raise refusal(error.response) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused("fal's status can not be read.", status_code=502) from error
        if isinstance(status, fal_client.Queued):
            return Queued(status.position if isinstance(status.position, int) else None)
        if isinstance(status, fal_client.Completed):
            return Completed(failed=bool(status.error))
        return Running()

    async def result(self, receipt: Receipt, *, failed: bool) -> Output:
        """Fetch what the completed request made.

        Args:
            receipt: The request.
            failed: Whether its status told of an error. A server error without words is then the
                request's own; else it is the server's, and is asked past.

        Raises:
            GenerationFailed: It made an error.
            DownloadFailed: It made no video.
            Refused: fal does not know the request any more (404).
        """
        patience_s = FAILED_PATIENCE_S if failed else float(self._settings.outage_limit_s)
        try:
            return await persistently(
                lambda: self._result_once(receipt, failed), patience_s=patience_s
            )
        except Refused as problem:
            if failed and problem.status_code >= 500:
                raise GenerationFailed(
                    f"fal could not generate the clip: {problem.happened}",
                    money=Money.NOT_SPENT,
                    request_id=receipt.request_id,
                ) from problem
            raise

    def cancel(self, receipt: Receipt) -> None:
        """Ask fal to cancel; it is no error when the request has completed already.

        Blocks for up to 5 s. It works in a thread, a loop and on a client of its own, so that it
        outlives the loop that is torn down around it, and no slow look-up of a name holds it up.

        Raises:
            ServiceProblem: fal could not be asked.
        """
        answer: Future[None] = Future()

        def ask() -> None:
            try:
                answer.set_result(asyncio.run(self._cancel_apart(receipt)))
            except Exception as error:
                answer.set_exception(error)

        Thread(target=ask, daemon=True).start()
        try:
            answer.result(CANCEL_LIMIT_S)
        except FutureTimeout:
            raise Unreachable("fal did not answer to the cancelling.") from None

    async def find(
        self, endpoint_id: str, arguments: Mapping[str, Any], posted_at: float
    ) -> Receipt | None:
        """Look for the ended request that had exactly these arguments.

        Args:
            endpoint_id: fal's id of the endpoint that was asked.
            arguments: The body of the paid POST.
            posted_at: When it was made, in seconds since 1970.

        Raises:
            ServiceProblem: The listing can not be read.
        """
        request_id = await self._listing.find(endpoint_id, arguments, posted_at)
        return self._by_id(endpoint_id, request_id) if request_id else None

    async def find_output(self, endpoint_id: str, receipt: Receipt) -> Output | None:
        """Look for the output of a request whose result is no longer served.

        Raises:
            ServiceProblem: The listing can not be read.
        """
        return await persistently(
            lambda: self._listing.output(endpoint_id, receipt.request_id),
            patience_s=float(self._settings.outage_limit_s),
        )

    async def fetch(self, output: Output, part: Path, tell: Tell) -> None:
        """Download the clip to the file `part`; see `download.download`."""
        await download(self._cdn, output.video_url, part, output.video_size, self._settings, tell)

    async def check_key(self) -> None:
        """Ask for a request that does not exist: free, and 404 for a good key.

        Raises:
            ViduError: The key is not accepted, or fal could not be asked.
        """
        response = await self._http.get(f"{QUEUE}/fal-ai/vidu/requests/{uuid4()}/status")
        if response.status_code != 404:
            raise refusal(response)

    async def _result_once(self, receipt: Receipt, failed: bool) -> Output:
        response = await self._http.get(trusted(receipt).response_url)
        if response.is_success:
            output = read_output(response)
            if output is None:
                raise DownloadFailed(
                    "fal says the clip is finished but names no video.",
                    "Run the same shot again to ask once more, free; if that does not help, "
                    f"ask fal's support about request {receipt.request_id}.",
                    request_id=receipt.request_id,
                )
            return output
        if is_verdict(response, failed=failed):
            raise failure(response, receipt.request_id)
        raise refusal(response)

    async def _cancel_apart(self, receipt: Receipt) -> None:
        async with Fal(self._key, self._settings) as fal:
            try:
                await asyncio.wait_for(fal._handle(receipt).cancel(), CANCEL_LIMIT_S)
            except asyncio.TimeoutError:
                return  # nobody waits any more
            except fal_client.FalClientHTTPError as error:
                if error.status_code not in (400, 404):
                    raise refusal(error.response) from error

    def _handle(self, receipt: Receipt) -> fal_client.AsyncRequestHandle:
        trusted(receipt)
        return fal_client.AsyncRequestHandle(
            request_id=receipt.request_id,
            response_url=receipt.response_url,
            status_url=receipt.status_url,
            cancel_url=receipt.cancel_url,
            client=self._http,
        )

    def _by_id(self, endpoint_id: str, request_id: str) -> Receipt:
        handle = fal_client.AsyncRequestHandle.from_request_id(self._http, endpoint_id, request_id)
        return Receipt(request_id, handle.status_url, handle.response_url, handle.cancel_url)
