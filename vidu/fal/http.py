"""The HTTP clients under `Fal`: one attempt for one call, bounded in time and in size.

fal-client 1.0.3 repeats a call up to ten times on 408, 409, 429, on nginx's 502 to 504 and on every
transport error, without regard to Retry-After. Its loop knows httpx's errors and its own, so
what is raised here passes straight through it, and `retry.py` decides instead.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import httpx
from fal_client.client import INGRESS_ERROR_CODES, RETRY_CODES, AsyncBackupDomainTransport

from ..credentials import Secret
from ..errors import (
    CertificateError,
    ConnectionFailedError,
    ResponseTooLargeError,
)
from .bodies import BodyTooLargeError, read_body
from .certificates import find_certificate_problem
from .proxies import ProxyTransport
from .responses import error_from_response
from .server_clock import ServerClock

CONNECT_TIMEOUT_S = 10.0
FRESH = httpx.Limits(max_keepalive_connections=0)
"""A new connection for each request: fal may close a kept one just as a request goes out on it."""


class NoRetryClient(httpx.AsyncClient):
    """Sends each request once, and reads no more than a megabyte of its response.

    Args:
        context: Which certificates are trusted.
        clock: Set by each response.
        read_timeout_s: The longest silence within one request, in seconds.
        key: The fal key, sent with every request; None for requests that bring their own.
        limits: How many connections are kept.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        clock: ServerClock,
        read_timeout_s: float,
        key: Secret | None = None,
        limits: httpx.Limits = httpx.Limits(),  # noqa: B008 (never changed)
    ) -> None:
        self._clock = clock
        self._timeouts = httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
        self._total_s = total_timeout_s(read_timeout_s)
        headers = {"Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Key {key.reveal()}"
        super().__init__(
            headers=headers,
            timeout=self._timeouts,
            transport=AsyncBackupDomainTransport(transport=ProxyTransport(context, limits)),
            trust_env=False,  # ProxyTransport and create_tls_context have read it
        )

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send the request.

        A request may bring its own time for all of it, as the extension `total_s`. With the
        extension `any_status` every response is returned, for fal-client never sees it.

        Raises:
            ConnectionFailedError: No whole response came in time.
            ResponseTooLargeError: It is larger than anything fal sends.
            ServiceError: fal-client would repeat the request for it.
        """
        request.extensions["timeout"] = self._timeouts.as_dict()
        total_s = request.extensions.get("total_s", self._total_s)
        host = request.url.host
        try:
            response = await asyncio.wait_for(self._send_and_read(request, options), total_s)
        except asyncio.TimeoutError:
            # Bytes that come one at a time never meet the read timeout.
            raise ConnectionFailedError(
                f"{host} gave no whole response within {total_s:.0f} s."
            ) from None
        except BodyTooLargeError:
            raise ResponseTooLargeError(f"{host} sent a response without end.") from None
        except httpx.RequestError as error:
            raise to_connection_error(host, error) from error
        self._clock.read(response)
        if not request.extensions.get("any_status") and _is_repeated_by_fal_client(response):
            raise error_from_response(response)
        return response

    async def _send_and_read(
        self, request: httpx.Request, options: Mapping[str, Any]
    ) -> httpx.Response:
        response = await super().send(request, **{**options, "stream": True})
        try:
            return await read_body(response)
        finally:
            await response.aclose()


def _is_repeated_by_fal_client(response: httpx.Response) -> bool:
    from_fal = "x-fal-request-id" in response.headers
    return response.status_code in RETRY_CODES or (
        response.status_code in INGRESS_ERROR_CODES and not from_fal
    )


def total_timeout_s(read_timeout_s: float) -> float:
    """Return the longest time for one whole call, in seconds, by its longest silence."""
    return CONNECT_TIMEOUT_S + 2 * read_timeout_s


def create_cdn_client(context: ssl.SSLContext, read_timeout_s: float) -> httpx.AsyncClient:
    """Return a client without the key, for addresses that are not fal's own."""
    return httpx.AsyncClient(
        transport=ProxyTransport(context),
        timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        trust_env=False,
    )


class SendTrace:
    """Knows whether any byte of a request may have left this machine.

    Give it as the `trace` extension of a request; httpcore calls it at each step.

    Args:
        before_sending: Awaited right before the first byte leaves. What it raises stops the request
            and reaches the caller unchanged.
    """

    def __init__(self, before_sending: Callable[[], Awaitable[None]] | None = None) -> None:
        self.may_have_left = False
        self._before_sending = before_sending

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the first step that writes the request itself, not the proxy's CONNECT."""
        if not event.endswith("send_request_headers.started"):
            return
        if info["request"].method == b"CONNECT" or self.may_have_left:
            return
        if self._before_sending:
            await self._before_sending()
            self._before_sending = None  # it holds the whole shot, and httpx this trace in cycles
        self.may_have_left = True


TRANSPORT_WORDS: Mapping[type[httpx.RequestError], str] = MappingProxyType(
    {
        httpx.ConnectTimeout: "connecting took too long",
        httpx.ProxyError: "the proxy refused the connection",
        httpx.ConnectError: "the connection failed",
        httpx.ReadTimeout: "read timed out",
        httpx.WriteTimeout: "write timed out",
        httpx.RemoteProtocolError: "the connection was closed",
        httpx.ReadError: "the connection broke",
        httpx.WriteError: "the connection broke",
        httpx.DecodingError: "the response cannot be unpacked",
    }
)


def to_connection_error(host: str, error: httpx.RequestError) -> ConnectionFailedError:
    """Return why a call failed, without httpx's own text, which may hold headers."""
    untrusted = find_certificate_problem(error)
    if untrusted:
        return CertificateError(f"The certificate of {host} is not trusted ({untrusted}).")
    kinds = (words for kind, words in TRANSPORT_WORDS.items() if isinstance(error, kind))
    return ConnectionFailedError(f"{host} did not respond ({next(kinds, 'network error')}).")
