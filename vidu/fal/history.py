"""fal's listing of ended requests, where a request whose response was lost is found again.

The listing is sorted by end time and need not show what still runs, so that an empty answer is
no proof until the request can no longer be running (reference: fal.md 1.9).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import httpx

from ..errors import ResponseTooLargeError, UnreadableResponseError
from ..models import Output
from .matching import Match, compare, has_upload
from .request_handles import REQUEST_ID
from .responses import error_from_response
from .results import error_from_listing, parse_output

URL = "https://api.fal.ai/v1/models/requests/by-endpoint"
CLOCK_MARGIN_S = 3600.0
"""fal's servers agree on the time much better than this."""

DATE_RESOLUTION_S = 1.0
"""A Date header has whole seconds."""

CLOCKS_DISAGREE_S = 60.0
"""More than lies between two of fal's clocks, in seconds."""

LONGEST_LOOK_BACK_S = 30 * 86_400.0
"""Where fal's time of the request is not known; fal keeps payloads for 30 days."""

MAX_PAGES = 100
PAGE_SIZES = (100, 10, 1)
"""Items of a page; fewer where inputs of megabytes make the page too large to be read."""


class RequestHistory:
    """Reads the listing of one account.

    Args:
        http: The client that carries the key.
        now: fal's time in seconds since 1970, or None before it is known.
    """

    def __init__(self, http: httpx.AsyncClient, now: Callable[[], float | None]) -> None:
        self._http = http
        self._now = now

    async def find(
        self,
        endpoint_id: str,
        arguments: Mapping[str, Any],
        since: float | None,
        earliest: float | None,
        is_known: Callable[[str], Awaitable[bool]],
    ) -> str | None:
        """Return the id of the request that had these arguments, or None when none had.

        Args:
            endpoint_id: fal's endpoint id.
            arguments: The body of the paid POST.
            since: When it was made by fal's clock, in seconds since 1970; None when unknown.
            earliest: The least of `since` and the time by the ledger's clock: one of fal's servers
                may have told a wrong time.
            is_known: Tells whether the ledger has a request id; such a request is not the lost one.

        Raises:
            UnreadableResponseError: Something in the listing cannot be read, and it may be the
                lost request.
            ServiceError: The listing cannot be read.
        """
        is_unique = has_upload(arguments)
        same: dict[str, float] = {}
        likely: list[str] = []
        unclear = 0
        async for item in self._items({"endpoint_id": endpoint_id, **self._start(earliest)}):
            match = compare(item, arguments)
            if not is_unique:
                match = _in_time(match, item, since, earliest)
            request_id = _request_id(item)
            if match is Match.DIFFERENT or (request_id and await is_known(request_id)):
                continue
            if match is Match.SAME and request_id:
                if is_unique:
                    return request_id
                same[request_id] = abs((_time_of(item.get("sent_at")) or 0.0) - (since or 0.0))
            elif match is Match.LIKELY and request_id:
                likely.append(request_id)
            else:
                unclear += 1
        if same:  # of twins the one that was sent at the time of ours
            return min(same, key=same.__getitem__)
        # One likely request beside an unclear one is not the only one that may be the lost one.
        if len(set(likely)) == 1 and not unclear:
            return likely[0]
        if likely or unclear:
            raise UnreadableResponseError(
                f"It has {len(likely) + unclear} requests whose inputs cannot be read, or are the "
                "same, and any may be the lost one.",
                retryable=False,
            )
        return None

    async def output(self, endpoint_id: str, request_id: str) -> Output | None:
        """Return the output of a request, or None when the listing does not have the request.

        Raises:
            GenerationError: The request ended with an error.
            UnreadableResponseError: It is listed, but not what it made.
            ServiceError: The listing cannot be read.
        """
        async for item in self._items({"endpoint_id": endpoint_id, "request_id": request_id}):
            if item.get("request_id") != request_id:
                continue
            output = parse_output(item.get("json_output"))
            if output:
                return output
            status = item.get("status_code")
            if isinstance(status, int) and status >= 400:
                raise error_from_listing(status, item.get("json_output"), request_id)
            raise UnreadableResponseError(
                f"It has request {request_id} without its output.", retryable=False
            )
        return None

    def _start(self, earliest: float | None) -> dict[str, str]:
        # No end: whatever the clocks say, a request is never later than now.
        if earliest is not None:
            return {"start": _iso(earliest - CLOCK_MARGIN_S)}
        now = self._now()
        return {} if now is None else {"start": _iso(now - LONGEST_LOOK_BACK_S)}

    async def _items(self, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        sizes = iter(PAGE_SIZES)
        size, cursors = next(sizes), [""]
        while len(cursors) <= MAX_PAGES:
            params = {**query, "expand": "payloads", "limit": str(size)}
            if cursors[-1]:
                params["cursor"] = cursors[-1]
            try:
                page = _parse_page(await self._http.get(URL, params=params))
            except ResponseTooLargeError:
                size = next(sizes, 0)
                if not size:
                    raise
                continue
            for item in page["items"]:
                yield item
            cursor = _next_cursor(page)
            if cursor is None or (cursor in cursors and _is_end(page)):
                return
            if cursor in cursors:
                raise UnreadableResponseError(
                    "fal's listing of requests repeats itself.", retryable=False
                )
            cursors.append(cursor)
        raise UnreadableResponseError(
            "fal's listing of requests is too long to be read.", retryable=False
        )


def _in_time(
    match: Match, item: Mapping[str, Any], since: float | None, earliest: float | None
) -> Match:
    """Return the match of a request without an upload, doubted where it was sent before ours.

    Nothing in it is unique but the seed, which the user may have fixed: a twin from another
    machine may have the same words.
    """
    sent_at = _time_of(item.get("sent_at"))
    if since is None or earliest is None or sent_at is None:
        return match
    if sent_at < earliest - CLOCKS_DISAGREE_S:
        return Match.DIFFERENT
    is_before = sent_at < since - DATE_RESOLUTION_S
    return Match.UNCLEAR if match is Match.SAME and is_before else match


def _time_of(value: object) -> float | None:
    """Return an ISO time in seconds since 1970, or None when it is not one, or of any zone."""
    try:
        # Python 3.10 does not read the Z.
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None


def _parse_page(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise error_from_response(response)
    if response.status_code != httpx.codes.OK:
        raise UnreadableResponseError("fal's listing of requests did not come whole.")
    try:
        page = response.json()
    except (ValueError, RecursionError):
        page = None
    items = page.get("items") if isinstance(page, dict) else None
    if not isinstance(page, dict) or not isinstance(items, list) or page.get("error"):
        raise UnreadableResponseError("fal's listing of requests cannot be read.")
    if not all(isinstance(item, dict) for item in items):
        raise UnreadableResponseError("fal's listing of requests has items that cannot be read.")
    return page


def _is_end(page: Mapping[str, Any]) -> bool:
    """Return whether a page that leads where the reader was already is the last one."""
    return not page["items"] and not page.get("has_more")


def _request_id(item: Mapping[str, Any]) -> str:
    """Return the id of an item, or "" when it has none that a request can be asked for by."""
    request_id = item.get("request_id")
    is_id = isinstance(request_id, str) and REQUEST_ID.fullmatch(request_id)
    return str(request_id) if is_id else ""


def _next_cursor(page: Mapping[str, Any]) -> str | None:
    """Return where the next page begins, or None where the listing ends for certain."""
    has_more, cursor = page.get("has_more"), page.get("next_cursor")
    if isinstance(cursor, (str, int)) and cursor != "":
        return str(cursor)  # it counts even where `has_more` denies it, and on an empty page
    if has_more not in (None, False) or cursor not in (None, ""):
        raise UnreadableResponseError(
            "fal's listing of requests does not tell where it goes on.", retryable=False
        )
    return None


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat()
