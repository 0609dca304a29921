"""The paid POST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import (
    ConnectionFailedError,
    ServiceError,
    SubmissionUnknownError,
    ViduError,
)
from ..models import RequestHandle
from .http import NoRetryClient, SendTrace
from .request_handles import (
    QUEUE,
    handle_by_id,
    has_fal_urls,
    has_sub_path,
    parse_request_handle,
)
from .responses import error_from_response

if TYPE_CHECKING:
    import httpx

NOT_FOLLOWED = frozenset({307, 308})
"""Redirects that ask for the same POST elsewhere: nothing was done with it here (RFC 9110, 15.4).

Another redirect may be the answer to a POST that was accepted, as 303 is.
"""

MAY_BE_ACCEPTED = frozenset({408, 409, 499})
"""Of the 4xx, those after which the server behind may have the request.

499 is what nginx notes when it lost the client.
"""


async def post_request(
    http: NoRetryClient,
    endpoint_id: str,
    arguments: Mapping[str, Any],
    queue_limit_s: float,
    before_sending: Callable[[], Awaitable[None]] | None,
) -> RequestHandle:
    """Make the paid POST, once.

    Args:
        http: A client that keeps no connection.
        endpoint_id: fal's id of the endpoint.
        arguments: The body.
        queue_limit_s: After this many seconds in the queue fal ends the request, unbilled.
        before_sending: Awaited right before the first byte leaves; what it raises stops the POST
            and is raised here unchanged.

    Raises:
        SubmissionUnknownError: It may or may not have arrived.
        ViduError: Any other: it certainly did not.
    """
    trace = SendTrace(before_sending)
    try:
        response = await http.post(
            f"{QUEUE}/{endpoint_id}",
            json=dict(arguments),
            headers={"X-Fal-Request-Timeout": f"{queue_limit_s:f}"},
            extensions={"trace": trace, "any_status": True},
        )
    except asyncio.CancelledError:
        if trace.may_have_left:
            raise
        raise ConnectionFailedError("The request was stopped before it was sent.") from None
    except ServiceError as error:
        if not trace.may_have_left:
            raise
        raise _unclear(error) from error
    if not response.is_success:
        answer = error_from_response(response)
        raise answer if _was_refused(response) else _unclear(answer)
    handle = parse_request_handle(response)
    if handle is None:
        raise SubmissionUnknownError("fal's response to the paid request cannot be read.")
    if has_fal_urls(handle) and not has_sub_path(handle, endpoint_id):
        return handle
    return handle_by_id(endpoint_id, handle.request_id)


def _was_refused(response: httpx.Response) -> bool:
    """Return whether the response says that the POST was not accepted, by status and body."""
    handle = parse_request_handle(response)
    if handle and has_fal_urls(handle):
        return False  # something on the way changed the status of an accepted request
    code = response.status_code
    return code in NOT_FOLLOWED or (400 <= code < 500 and code not in MAY_BE_ACCEPTED)


def _unclear(error: ViduError) -> SubmissionUnknownError:
    return SubmissionUnknownError(f"The paid request got no clear response: {error.message}")
