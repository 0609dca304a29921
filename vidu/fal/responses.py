"""fal's answers read: which error an answer means, and in which words it is told.

Types and statuses decide, fal's `msg` is shown, and its echoed `input` is never shown
(docs.fal.ai/errors: "client code should not parse and rely on the msg field").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from ..errors import (
    AccountLockedError,
    ApiStatusError,
    Charge,
    ContentPolicyError,
    GenerationCancelledError,
    GenerationError,
    ImageRejectedError,
    PromptRejectedError,
    RateLimitedError,
    RejectedKeyError,
    ViduError,
)
from ..models import Output

if TYPE_CHECKING:
    import httpx

WORDS_LIMIT = 300
LARGEST_INTEGER = 2**63
"""Of what the ledger can hold, one more."""

IMAGE_TYPES = frozenset(
    {
        "image_load_error",
        "file_download_error",
        "image_too_small",
        "image_too_large",
        "image_aspect_ratio_error",
        "file_too_large",
        "unsupported_image_format",
        "face_detection_error",
    }
)
CANCELLED_TYPES = frozenset({"client_cancelled", "client_disconnected"})


def error_from_response(response: httpx.Response) -> ViduError:
    """Return the error for an answer to a submit, status, storage or listing call."""
    words = error_message(response)
    code = 425 if is_not_ready(response) else response.status_code
    if code == 401:
        return RejectedKeyError(f"fal does not accept the key ({words}).")
    if code == 403 and "User is locked" in words:
        return AccountLockedError(f"fal has locked this account: {words}", _unlock(words))
    if code == 429:
        problem = RateLimitedError(f"fal asks for fewer requests ({words}).")
        problem.retry_after_s = retry_after_s(response)
        return problem
    return ApiStatusError(f"fal api_handler {code} ({words}).", status_code=code)


def failure(response: httpx.Response, request_id: str) -> GenerationError:
    """Return the error for a result that is one."""
    words = error_message(response)
    types = set(_types(response))
    charge = _money(response)
    kind, what = GenerationError, f"fal could not generate the clip: {words}"
    if response.status_code == 499 or types & CANCELLED_TYPES:
        kind, what = GenerationCancelledError, f"The request was cancelled at fal: {words}"
    elif "content_policy_violation" in types:
        kind, what = ContentPolicyError, f"fal's content checker refused this shot: {words}"
    elif types & IMAGE_TYPES or _mentions_field(response, "image_url"):
        kind, what = ImageRejectedError, f"fal could not use the image: {words}"
    elif _mentions_field(response, "prompt"):
        kind, what = PromptRejectedError, f"fal could not use the prompt: {words}"
    elif "user" in response.headers.get("x-fal-request-timeout-type", ""):
        return GenerationError(
            "fal ended the request, for it waited for a runner longer than the queue limit.",
            "Run again when fal is less busy, or raise VIDU_QUEUE_LIMIT_S.",
            charge=charge,
            request_id=request_id,
        )
    return kind(what, charge=charge, request_id=request_id)


def error_message(response: httpx.Response) -> str:
    """Return fal's own words, short and on one line, without anything the caller sent."""
    detail = json_body(response).get("detail")
    if isinstance(detail, list):
        parts = [_one(item) for item in detail]
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
    return text if len(text) <= WORDS_LIMIT else text[: WORDS_LIMIT - 3] + "..."


def is_final(response: httpx.Response, *, failed: bool) -> bool:
    """Return whether a result that is no success is the request's own error.

    fal replays what the model api_handler: a 422, another 4xx that names its type, and, when the
    status told of an error, any 4xx and a 5xx that names its type. All else comes from a server
    on the way, and a 401, 403 or 404 from fal's door.

    Args:
        response: The answer.
        failed: Whether the request's status told of an error.
    """
    code = response.status_code
    if code in (401, 403, 404, 408, 409, 425, 429) or is_not_ready(response):
        return False
    if failed:
        return response.is_client_error or any(_types(response))
    return code == 422 or (response.is_client_error and any(_types(response)))


def is_not_ready(response: httpx.Response) -> bool:
    """Return whether the result was asked for before this server of fal's has it."""
    return response.status_code == 400 and "still in progress" in error_message(response)


def read_output(response: httpx.Response) -> Output | None:
    """Return the output in a result, or `None` when it names no video."""
    return output_of(json_body(response), billable_units(response))


def output_of(body: object, units: float | None = None) -> Output | None:
    """Return the output in the JSON `body`, or `None` when it names no video."""
    video = body.get("video") if isinstance(body, dict) else None
    url = video.get("url") if isinstance(video, dict) else None
    if not isinstance(video, dict) or not isinstance(url, str) or not url or not url.isprintable():
        return None
    size = video.get("file_size")
    whole = isinstance(size, int) and not isinstance(size, bool) and 0 < size < LARGEST_INTEGER
    return Output(url, size if whole else None, units)


def billable_units(response: httpx.Response) -> float | None:
    """Return `x-fal-billable-units`, when it is there and a number."""
    try:
        return float(response.headers["x-fal-billable-units"])
    except (KeyError, ValueError):
        return None


def retry_after_s(response: httpx.Response) -> float | None:
    """Return the Retry-After header in seconds, whether it is a number or a date."""
    value = response.headers.get("retry-after", "")
    if re.fullmatch(r"\d{1,6}(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - _date(response))
    except (TypeError, ValueError):
        return None


def _date(response: httpx.Response) -> float:
    return parsedate_to_datetime(response.headers.get("date", "")).timestamp()


def _money(response: httpx.Response) -> Charge:
    units = billable_units(response)
    if response.status_code >= 500 or units == 0:
        return Charge.NOT_SPENT  # fal never bills a server error (fal.ai/docs pricing page)
    return Charge.MAYBE_SPENT if units is None else Charge.CHARGED


def _unlock(words: str) -> str:
    if "balance" in words.lower() or "TOP_UP" in words:
        return AccountLockedError.next_step
    return "Only fal can unlock it: write to support@fal.ai, then run again."


def _one(item: object) -> str:
    if not isinstance(item, dict):
        return item if isinstance(item, str) else ""
    message = str(item.get("msg") or "").strip()
    loc = item.get("loc")
    place = str(loc[-1]) if isinstance(loc, list) and loc else ""
    return f"{place}: {message}" if message and place not in ("", "body") else message


def _types(response: httpx.Response) -> Iterator[str]:
    body = json_body(response)
    yield str(body.get("error_type") or "")
    yield response.headers.get("x-fal-error-type", "")
    detail = body.get("detail")
    for item in detail if isinstance(detail, list) else [detail]:
        if isinstance(item, dict):
            yield str(item.get("type") or "")


def _mentions_field(response: httpx.Response, field: str) -> bool:
    detail = json_body(response).get("detail")
    items = [item for item in detail if isinstance(item, dict)] if isinstance(detail, list) else []
    return any(isinstance(item.get("loc"), list) and field in item["loc"] for item in items)


def json_body(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in an answer, an empty one when there is none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
