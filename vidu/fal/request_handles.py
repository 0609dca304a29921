"""Request handles: parsed, and trusted only with fal's own addresses, where the key goes."""

from __future__ import annotations

import re
from dataclasses import fields

import httpx

from ..errors import ServiceError
from ..models import RequestHandle
from .responses import json_body

QUEUE = "https://queue.fal.run"
"""A constant: fal-client's FAL_QUEUE_RUN_HOST would lead the key, and the POST, elsewhere."""

QUEUE_HOSTS = frozenset({"queue.fal.run", "queue.falrun.com"})
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_request_handle(response: httpx.Response) -> RequestHandle | None:
    """Return the handle in the answer to a submit, or `None` when it has no request id.

    An address that is missing is empty: `has_fal_urls` tells, and the id alone leads to all three.
    """
    body = json_body(response)
    values = (body.get(field.name) for field in fields(RequestHandle))
    handle = RequestHandle(*(value if isinstance(value, str) else "" for value in values))
    return handle if REQUEST_ID.fullmatch(handle.request_id) else None


def handle_by_id(endpoint_id: str, request_id: str) -> RequestHandle:
    """Return the handle of a request of which only the id is known."""
    base = f"{QUEUE}/{_app(endpoint_id)}/requests/{request_id}"
    return RequestHandle(request_id, f"{base}/status", base, f"{base}/cancel")


def require_fal_urls(handle: RequestHandle) -> RequestHandle:
    """Return a ledger's handle; the ledger may hold anyone's.

    Raises:
        ServiceError: Its addresses are not fal's, and nothing was sent there.
    """
    if not has_fal_urls(handle):
        raise ServiceError(
            f"The ledger has addresses for request {handle.request_id} that are not fal's.",
            "Forget that row: whoever wrote it is after the key, or it is damaged.",
        )
    return handle


def has_fal_urls(handle: RequestHandle) -> bool:
    """Return whether all three addresses are of fal's own queue, and of this request."""
    urls = (handle.status_url, handle.response_url, handle.cancel_url)
    return all(_is_queue(url, handle.request_id) for url in urls)


def has_sub_path(handle: RequestHandle, endpoint_id: str) -> bool:
    """Return whether an address has all of the endpoint's path, where fal answers 405."""
    urls = (handle.status_url, handle.response_url, handle.cancel_url)
    is_app = endpoint_id == _app(endpoint_id)
    return not is_app and any(f"/{endpoint_id}/requests/" in url for url in urls)


def _app(endpoint_id: str) -> str:
    # With the rest of the endpoint's path fal answers 405 (reference: fal.md 1.1).
    return "/".join(endpoint_id.split("/")[:2])


def _is_queue(url: str, request_id: str) -> bool:
    try:
        parsed = httpx.URL(url)
        is_fal = parsed.scheme == "https" and parsed.host in QUEUE_HOSTS and not parsed.userinfo
        return is_fal and request_id in parsed.path.split("/")
    except (httpx.InvalidURL, TypeError, ValueError):
        return False
