"""fal's listing of ended requests, where a request whose reply was lost is found again.

The listing is sorted by end time and need not show what still runs, so that an empty answer is
no proof until the request could not be alive any more (reference: fal.md 1.9).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timezone
from typing import Any

import httpx

from ..errors import UnreadableResponseError
from ..models import Output
from .request_handles import REQUEST_ID
from .responses import error_from_response
from .results import parse_output

URL = "https://api.fal.ai/v1/models/requests/by-endpoint"
CLOCK_SKEW_S = 86_400.0
"""How far this machine's clock may be off: one that shares a disk with Windows is off by hours."""

MOST_PAGES = 100


class RequestHistory:
    """Reads the listing of one account.

    Args:
        http: The client that carries the key.
        max_lifetime_s: How long a request can live, in seconds.
    """

    def __init__(self, http: httpx.AsyncClient, max_lifetime_s: float) -> None:
        self._http = http
        self._max_lifetime_s = max_lifetime_s

    async def find(
        self, endpoint_id: str, arguments: Mapping[str, Any], submitting_at: float
    ) -> str | None:
        """Return the id of the request that had exactly these arguments.

        A new upload has a new URL, so at most one request has them.

        Args:
            endpoint_id: fal's endpoint id.
            arguments: The body of the paid POST.
            submitting_at: When it was made, in seconds since 1970.

        Raises:
            ServiceError: The listing cannot be read.
        """
        window = {
            "start": _iso(submitting_at - CLOCK_SKEW_S),
            "end": _iso(submitting_at + self._max_lifetime_s + 2 * CLOCK_SKEW_S),
        }
        hidden = 0
        async for item in self._items({"endpoint_id": endpoint_id, **window}):
            request_id = item.get("request_id")
            if _has_input(item, arguments) and REQUEST_ID.fullmatch(str(request_id)):
                return str(request_id)
            hidden += not isinstance(item.get("json_input"), dict)
        if hidden:
            raise UnreadableResponseError(
                f"It has {hidden} requests without their inputs, and any may be the lost one.",
                retryable=False,
            )
        return None

    async def output(self, endpoint_id: str, request_id: str) -> Output | None:
        """Return the output of the request with this id, when it is listed with one.

        Raises:
            ServiceError: The listing cannot be read.
        """
        async for item in self._items({"endpoint_id": endpoint_id, "request_id": request_id}):
            if item.get("request_id") == request_id:
                return parse_output(item.get("json_output"))
        return None

    async def _items(self, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            params = {**query, "expand": "payloads", "limit": "100", **cursor}
            page = _page(await self._http.get(URL, params=params))
            for item in page["items"]:
                if isinstance(item, dict):
                    yield item
            if not page.get("has_more") or not page.get("next_cursor"):
                return
            cursor = {"cursor": str(page["next_cursor"])}
        raise UnreadableResponseError(
            "fal's listing of requests is too long to be read.", retryable=False
        )


def _page(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise error_from_response(response)
    try:
        page = response.json()
    except ValueError:
        page = None
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        raise UnreadableResponseError("fal's listing of requests cannot be read.")
    return page


def _has_input(item: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    listed = item.get("json_input")
    # fal may fill in defaults, so what was sent must be there, and no more is asked.
    return isinstance(listed, dict) and all(
        listed.get(name) == value for name, value in arguments.items()
    )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat()
