"""A cancel request, made in a thread of its own.

It outlives the event loop that is torn down around it, and no slow look-up of a name holds it up.
"""

from __future__ import annotations

import json
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from threading import Event, Thread

import httpx
from fal_client.client import BackupDomainTransport

from ..credentials import Secret
from ..errors import ApiStatusError, ConnectionFailedError, ServiceError, ViduError
from ..models import RequestHandle
from ..provider import CancelReply
from ..retry import retry_blocking
from .certificates import create_tls_context
from .http import to_connection_error
from .proxies import find_proxy
from .request_handles import require_fal_urls
from .responses import error_from_response

CANCEL_TIMEOUT_S = 5.0
SECOND_AFTER_S = 2.0
"""When no answer has come, a second request goes out; the first may still be answered."""

FIRST_DELAY_S = 0.2
MAX_REPLY_BYTES = 65_536


def cancel_request(handle: RequestHandle, key: Secret) -> CancelReply:
    """Ask fal to cancel a request, again and again for up to 5 s; blocks.

    Raises:
        ServiceError: fal could not be told.
        ViduError: The key is refused.
    """
    require_fal_urls(handle)
    answer: Future[CancelReply] = Future()
    failed = Event()

    def put() -> CancelReply:
        try:
            return _put(handle, key)
        except BaseException:
            failed.set()
            raise

    def ask() -> None:
        try:
            reply = retry_blocking(put, timeout_s=CANCEL_TIMEOUT_S, first_delay_s=FIRST_DELAY_S)
        except BaseException as error:
            is_unknown = isinstance(error, ViduError) and error.status_code == 404
            with suppress(InvalidStateError):
                if is_unknown:
                    answer.set_result(CancelReply.NOT_FOUND)
                else:
                    answer.set_exception(error)
        else:
            with suppress(InvalidStateError):
                answer.set_result(reply)

    for wait_s in (SECOND_AFTER_S, CANCEL_TIMEOUT_S - SECOND_AFTER_S):
        if not failed.is_set():  # one that failed is sent again by its own thread
            Thread(target=ask, name="vidu-cancel", daemon=True).start()
        with suppress(FutureTimeoutError):
            return answer.result(wait_s)
    raise ConnectionFailedError(
        f"fal did not respond to the cancel request within {CANCEL_TIMEOUT_S:.0f} s."
    )


def _put(handle: RequestHandle, key: Secret) -> CancelReply:
    url = httpx.URL(handle.cancel_url)
    headers = {"Authorization": f"Key {key.reveal()}", "Accept-Encoding": "identity"}
    transport = httpx.HTTPTransport(verify=create_tls_context(), proxy=find_proxy(url.host))
    try:
        with (
            httpx.Client(
                transport=BackupDomainTransport(transport=transport),
                timeout=CANCEL_TIMEOUT_S,
                trust_env=False,
            ) as client,
            client.stream("PUT", url, headers=headers) as streamed,
        ):
            response = _read(streamed)
    except httpx.RequestError as error:
        raise to_connection_error(url.host, error) from error
    return _reply_of(response)


def _read(streamed: httpx.Response) -> httpx.Response:
    body = b""
    for chunk in streamed.iter_raw():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            break  # the status code says enough
    headers = {
        name: value
        for name, value in streamed.headers.items()
        if name not in ("content-encoding", "content-length", "transfer-encoding")
    }
    return httpx.Response(streamed.status_code, headers=headers, content=body)


def _reply_of(response: httpx.Response) -> CancelReply:
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    facts = body if isinstance(body, dict) else {}
    status = facts.get("status")
    if response.is_success and facts.get("success") is False:
        raise ServiceError("fal did not take the cancel request.", retryable=True)
    if response.is_success:
        # "OK": fal removed it from the queue; no runner ever had it (fal's queue reference).
        return CancelReply.REMOVED if status == "OK" else CancelReply.REQUESTED
    if response.status_code == 400 and status == "ALREADY_COMPLETED":
        return CancelReply.COMPLETED
    if response.status_code == 404:  # not every server of fal's knows a young request
        raise ApiStatusError("fal does not know the request.", retryable=True, status_code=404)
    raise error_from_response(response)
