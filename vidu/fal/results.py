"""The result of a completed request: an output, or the error with which it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import httpx

from ..errors import (
    Charge,
    ContentPolicyError,
    GenerationCancelledError,
    GenerationError,
    ImageRejectedError,
    InputRejectedError,
    PromptRejectedError,
)
from ..models import Output
from .responses import RefusedInput, error_message, is_not_ready, json_body, refused_input

LARGEST_INTEGER = 2**63
"""Of what the ledger can hold, one more."""

MOST_UNITS = 1e12
"""More than fal ever bills for one request; a row with infinity could not be read."""

IMAGE_TYPES = frozenset(
    {
        "image_load_error",
        "image_too_small",
        "image_too_large",
        "image_aspect_ratio_error",
        "unsupported_image_format",
        "face_detection_error",
    }
)
FILE_TYPES = frozenset({"file_download_error", "file_too_large"})
CANCELLED_TYPES = frozenset({"client_cancelled", "client_disconnected"})

FIELD_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "the prompt",
        "image_url": "the image",
        "start_image_url": "the first frame",
        "end_image_url": "the last frame",
        "input_image_urls": "the image",
        "reference_image_urls": "the reference image",
        "reference_video_urls": "the reference video",
        "reference_audio_urls": "the reference voice",
        "video_url": "the video",
    }
)
"""What a user calls an input of fal's."""


def error_from_result(
    response: httpx.Response, request_id: str, *, never_ran: bool = False
) -> GenerationError:
    """Return the error with which a request ended.

    Args:
        response: The result, which is not a success.
        request_id: fal's id of the request.
        never_ran: Whether nothing shows that a runner ever had it.
    """
    words, types = error_message(response), set(_types(response))
    is_cancelled = response.status_code == 499 or not types.isdisjoint(CANCELLED_TYPES)
    # Any other error is a runner's own.
    charge = _charge(response, never_ran=never_ran and is_cancelled)
    kind, what = GenerationError, f"The generation failed at fal: {words}"
    refused = _refused(response) if response.status_code == 422 else None
    if is_cancelled:
        kind, what = GenerationCancelledError, f"The request was cancelled at fal: {words}"
    elif "content_policy_violation" in types:
        kind, what = ContentPolicyError, f"fal's content checker refused this shot: {words}"
    elif refused or types & (IMAGE_TYPES | FILE_TYPES):
        kind = _rejection(refused)
        what = f"fal could not use {_words_for(refused)}: {words}"
    elif "user" in response.headers.get("x-fal-request-timeout-type", ""):
        return GenerationError(
            "fal ended the request because it waited for a runner longer than the queue limit.",
            "Run again when fal is less busy, or raise VIDU_QUEUE_LIMIT_S.",
            charge=charge,
            request_id=request_id,
            status_code=response.status_code,
        )
    error = kind(what, charge=charge, request_id=request_id, status_code=response.status_code)
    error.refused_input = str(refused or "")
    return error


def error_from_listing(status_code: int, body: object, request_id: str) -> GenerationError:
    """Return the error for a request that the listing shows as ended with this status."""
    # Not httpx's own JSON, which takes neither half an emoji nor a number that is none.
    return error_from_result(httpx.Response(status_code, content=json.dumps(body)), request_id)


def is_final(response: httpx.Response, *, failed: bool) -> bool:
    """Return whether a result that is not a success is the request's own error.

    fal replays what the model answered: a 422 with its detail, another 4xx that names its type,
    and, when the status reported an error, any 4xx and a 5xx that names its type. All else comes
    from a server on the way, and a 401, 403 or 404 from fal's gateway.

    Args:
        response: The result.
        failed: Whether the request's status reported an error.
    """
    code = response.status_code
    if code in (401, 403, 404, 408, 409, 425, 429) or is_not_ready(response):
        return False
    if failed:
        return response.is_client_error or any(_types(response))
    is_refusal = code == 422 and "detail" in json_body(response)
    return is_refusal or (response.is_client_error and any(_types(response)))


def parse_output(body: object, units: float | None = None) -> Output | None:
    """Return the output in the JSON `body`, or `None` when it names no file.

    Args:
        body: A result: `video`, `image` or `images`, and the `seed` where Vidu tells it.
        units: fal's count of what it bills.
    """
    if not isinstance(body, dict):
        return None
    images, seed = body.get("images"), _whole(body.get("seed"), 1)
    stills = [body.get("image"), *(images if isinstance(images, list) else [])]
    return _output(body.get("video"), "video", units, seed) or next(
        (found for still in stills if (found := _output(still, "image", units, seed))), None
    )


def _output(
    file: object, kind: Literal["video", "image"], units: float | None, seed: int | None
) -> Output | None:
    url = file.get("url") if isinstance(file, dict) else None
    if not isinstance(file, dict) or not isinstance(url, str) or not url or not url.isprintable():
        return None
    return Output(url, _whole(file.get("file_size"), 1), units, kind, seed)


def billable_units(response: httpx.Response) -> float | None:
    """Return `x-fal-billable-units`, when it is there and a number that the ledger can hold."""
    try:
        units = float(response.headers["x-fal-billable-units"])
    except (KeyError, ValueError):
        return None
    return units if 0 <= units < MOST_UNITS else None


def _whole(value: object, least: int) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if least <= value < LARGEST_INTEGER else None


def _charge(response: httpx.Response, *, never_ran: bool) -> Charge:
    units = billable_units(response)
    if response.status_code >= 500 or units == 0:
        return Charge.NOT_SPENT  # fal never bills a server error (fal.ai/docs pricing page)
    if units is not None:
        return Charge.CHARGED
    return Charge.NOT_SPENT if never_ran else Charge.MAYBE_SPENT


def _rejection(refused: RefusedInput | None) -> type[GenerationError]:
    if refused is None or "image" in refused.field:
        return ImageRejectedError
    return PromptRejectedError if refused.field == "prompt" else InputRejectedError


def _words_for(refused: RefusedInput | None) -> str:
    return FIELD_WORDS.get(refused.field, "an input") if refused else "the image"


def _refused(response: httpx.Response) -> RefusedInput | None:
    """Return the input that was refused, a file before a text."""
    detail = json_body(response).get("detail")
    items = detail if isinstance(detail, list) else []
    named = [refused_input(item) for item in items if isinstance(item, dict)]
    found = [each for each in named if each]
    return next(iter(sorted(found, key=lambda each: not each.is_medium)), None)


def _types(response: httpx.Response) -> Iterator[str]:
    body = json_body(response)
    yield str(body.get("error_type") or "")
    yield response.headers.get("x-fal-error-type", "")
    detail = body.get("detail")
    for item in detail if isinstance(detail, list) else [detail]:
        if isinstance(item, dict):
            yield str(item.get("type") or "")
