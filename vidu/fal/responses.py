"""fal's error responses to submit, status, storage and listing calls, as errors of the pack.

Types and statuses decide, fal's `msg` is shown, and its echoed `input` is never shown
(docs.fal.ai/errors: "client code should not parse and rely on the msg field").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..endpoints import ENDPOINTS
from ..errors import (
    AccountLockedError,
    ApiStatusError,
    RateLimitedError,
    RejectedKeyError,
    ViduError,
)

if TYPE_CHECKING:
    import httpx

MAX_MESSAGE_LENGTH = 300
ROLES: Mapping[str, str] = MappingProxyType(
    {field.name: field.role for endpoint in ENDPOINTS.values() for field in endpoint.media}
)
"""What fal's media fields are called in nodes, builders and manifests."""

RETRYABLE_STATUS_CODES = frozenset({408, 409, 425, 500, 502, 503, 504, 520, 522, 524})


def error_from_response(response: httpx.Response) -> ViduError:
    """Return the error for a response that is not a success."""
    words, code = error_message(response), response.status_code
    if code == 401:
        return RejectedKeyError(f"fal does not accept the key ({words}).", status_code=code)
    if code == 403 and "User is locked" in words:
        return AccountLockedError(
            f"fal has locked this account: {words}", _unlock(words), status_code=code
        )
    if code == 429:
        error = RateLimitedError(f"fal asks for fewer requests ({words}).", status_code=code)
        error.retry_after_s = retry_after_s(response)
        return error
    return ApiStatusError(
        f"fal answered {code} ({words}).",
        retryable=code in RETRYABLE_STATUS_CODES or is_not_ready(response),
        status_code=code,
    )


def error_message(response: httpx.Response) -> str:
    """Return fal's own words, short and on one line, without anything the caller sent."""
    detail = json_body(response).get("detail")
    if isinstance(detail, list):
        parts = [_format_detail(item) for item in detail]
        text = "; ".join(part for part in parts if part)
    elif isinstance(detail, dict):
        text = str(detail.get("msg") or detail.get("message") or "")
    else:
        text = str(detail or "")
    if not text:
        error = json_body(response).get("error")
        text = str((error.get("message") if isinstance(error, dict) else error) or "")
    text = " ".join(text.split()) or response.reason_phrase or "no words"
    text = text.encode(errors="replace").decode()  # half an emoji cannot be written down
    return text if len(text) <= MAX_MESSAGE_LENGTH else text[: MAX_MESSAGE_LENGTH - 3] + "..."


def is_not_ready(response: httpx.Response) -> bool:
    """Return whether the result was asked for before this server of fal's has it."""
    return response.status_code == 400 and "still in progress" in error_message(response)


def retry_after_s(response: httpx.Response) -> float | None:
    """Return the Retry-After header in seconds, whether it is a number or a date."""
    value = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - _date(response))
    except (OverflowError, TypeError, ValueError):
        return None


def json_body(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in a response, an empty one when there is none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _date(response: httpx.Response) -> float:
    return parsedate_to_datetime(response.headers.get("date", "")).timestamp()


def _unlock(words: str) -> str:
    if "balance" in words.lower() or "TOP_UP" in words:
        return AccountLockedError.next_step
    return "Only fal can unlock it: write to support@fal.ai, then run again."


def _format_detail(item: object) -> str:
    if not isinstance(item, dict):
        return item if isinstance(item, str) else ""
    message = str(item.get("msg") or "").strip()
    refused = refused_input(item)
    return f"{refused}: {message}" if message and refused else message


@dataclass(frozen=True)
class RefusedInput:
    """An input that fal's words are about.

    Args:
        field: fal's name of the field.
        number: Which one of a list, from 1; None where it is all of the field.
    """

    field: str
    number: int | None = None

    @property
    def is_medium(self) -> bool:
        """Whether it is a file."""
        return self.field in ROLES

    def __str__(self) -> str:
        """Return the name in nodes, builders and manifests, such as `prompt` or `images 2`."""
        name = ROLES.get(self.field, self.field)
        return name if self.number is None else f"{name} {self.number}"


def refused_input(item: dict[str, Any]) -> RefusedInput | None:
    """Return the input that an item of `detail` names, or None when it names none."""
    loc = item.get("loc")
    names = [each for each in loc if each != "body"] if isinstance(loc, list) else []
    if not names or not isinstance(names[0], str):
        return None
    is_listed = len(names) > 1 and isinstance(names[1], int)
    return RefusedInput(names[0], names[1] + 1 if is_listed else None)
