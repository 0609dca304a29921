"""The status and the result of a request, each asked for once."""

from __future__ import annotations

import fal_client

from ..errors import DownloadError, UnreadableResponseError
from ..models import Output, RequestHandle
from ..provider import Completed, JobStatus, Queued, Running
from .http import NoRetryClient
from .request_handles import require_fal_urls
from .responses import error_from_response, json_body
from .results import billable_units, error_from_result, is_final, parse_output


async def read_status(http: NoRetryClient, handle: RequestHandle) -> JobStatus:
    """Return what a request is doing.

    Raises:
        ServiceError: It could not be asked, or fal does not know it (404).
        ViduError: The key or the account is refused.
    """
    require_fal_urls(handle)
    request = fal_client.AsyncRequestHandle(
        request_id=handle.request_id,
        response_url=handle.response_url,
        status_url=handle.status_url,
        cancel_url=handle.cancel_url,
        client=http,
    )
    try:
        status = await request.status()
    except fal_client.FalClientHTTPError as error:
        raise error_from_response(error.response) from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableResponseError("fal's status cannot be read.") from error
    if isinstance(status, fal_client.Queued):
        return Queued(status.position if isinstance(status.position, int) else None)
    if isinstance(status, fal_client.Completed):
        return Completed(bool(status.error), _inference_time_s(status.metrics))
    return Running()


async def read_result(
    http: NoRetryClient, handle: RequestHandle, *, failed: bool, never_ran: bool
) -> Output:
    """Return what a completed request made.

    Args:
        http: The client that carries the key.
        handle: The request.
        failed: Whether its status reported an error.
        never_ran: Whether nothing shows that a runner ever had it.

    Raises:
        GenerationError: It ended with an error.
        DownloadError: It made no file.
        ServiceError: It could not be asked, or fal does not know it (404).
    """
    response = await http.get(require_fal_urls(handle).response_url)
    if response.is_success:
        output = parse_output(json_body(response), billable_units(response))
        if output is None:
            raise DownloadError(
                "fal says that the request is finished but names no file.",
                "Run the same shot again to ask once more, free; if that does not help, "
                f"ask fal's support about request {handle.request_id}.",
                request_id=handle.request_id,
            )
        return output
    if is_final(response, failed=failed):
        raise error_from_result(response, handle.request_id, never_ran=never_ran)
    raise error_from_response(response)


def _inference_time_s(metrics: object) -> float | None:
    value = metrics.get("inference_time") if isinstance(metrics, dict) else None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if value > 0 else None
