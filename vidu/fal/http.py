"""The HTTP client under fal-client: one attempt for one call, and failures in our own words.

fal-client 1.0.3 repeats a call up to ten times on 408, 409, 429, on nginx's 502 to 504 and on every
transport error, without regard to Retry-After. Its ladder knows httpx's errors and its own, so
what is raised here passes straight through it, and `retry.py` decides instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import httpx
from fal_client.client import INGRESS_ERROR_CODES, RETRY_CODES, AsyncBackupDomainTransport

from ..credentials import Secret
from ..errors import ConnectionFailedError
from .responses import error_from_response

CONNECT_LIMIT_S = 10.0
PRIMARY = "https://queue.fal.run"


class NoRetryClient(httpx.AsyncClient):
    """Sends each request once.

    Args:
        key: The fal key, sent with every request.
        read_timeout_s: The longest silence within one request, in seconds.
    """

    def __init__(self, key: Secret, read_timeout_s: float) -> None:
        self._timeouts = httpx.Timeout(read_timeout_s, connect=CONNECT_LIMIT_S)
        super().__init__(
            headers={"Authorization": f"Key {key.reveal()}"},
            timeout=self._timeouts,
            mounts={PRIMARY: AsyncBackupDomainTransport()},
        )

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send the request.

        Raises:
            ConnectionFailedError: No answer came.
            ServiceError: The answer is one that fal-client would repeat the request for.
        """
        request.extensions["timeout"] = self._timeouts.as_dict()
        try:
            response = await super().send(request, **options)
        except httpx.RequestError as error:
            raise to_connection_error(request.url.host, error) from error
        from_fal = "x-fal-request-id" in response.headers
        if response.status_code in RETRY_CODES or (
            response.status_code in INGRESS_ERROR_CODES and not from_fal
        ):
            raise error_from_response(response)
        return response


def cdn_client(read_timeout_s: float) -> httpx.AsyncClient:
    """Return a client without the key, for addresses that are not fal's own."""
    return httpx.AsyncClient(timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_LIMIT_S))


class RequestSentTrace:
    """Tells whether any byte of a request may have left this machine.

    Give it as the `trace` extension of a request; httpcore calls it at each step.
    """

    def __init__(self) -> None:
        self.may_have_left = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the first step that writes the request itself, not the proxy's CONNECT."""
        if event.endswith("send_request_headers.started"):
            self.may_have_left |= info["request"].method != b"CONNECT"


TRANSPORT_WORDS: Mapping[type[httpx.RequestError], str] = MappingProxyType(
    {
        httpx.ConnectTimeout: "connecting took too long",
        httpx.ProxyError: "the proxy refused",
        httpx.ConnectError: "the connection failed",
        httpx.ReadTimeout: "it stayed silent",
        httpx.WriteTimeout: "it stopped listening",
        httpx.RemoteProtocolError: "it hung up",
        httpx.ReadError: "the connection broke",
        httpx.WriteError: "the connection broke",
        httpx.DecodingError: "what came cannot be unpacked",
    }
)


def to_connection_error(host: str, error: httpx.RequestError) -> ConnectionFailedError:
    """Say why a call failed without httpx's own text, which may hold headers."""
    kinds = (words for kind, words in TRANSPORT_WORDS.items() if isinstance(error, kind))
    return ConnectionFailedError(f"{host} gave no answer ({next(kinds, 'network error')}).")
