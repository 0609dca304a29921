"""What fal answers: statuses, headers and bodies, word for word as the reference has them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from aiohttp import web

DOCS = "https://docs.fal.ai/errors/#"
FORMATS = ["png", "jpeg", "jpg", "webp"]

MODEL_ERRORS: dict[str, tuple[int, list[str], str, dict[str, Any]]] = {
    "internal_server_error": (500, ["body"], "Internal server error", {}),
    "generation_timeout": (504, ["body"], "Generation timeout", {}),
    "downstream_service_error": (400, ["body"], "Downstream service error", {}),
    "downstream_service_unavailable": (500, ["body"], "Downstream service unavailable", {}),
    "content_policy_violation": (
        422,
        ["body", "prompt"],
        "The content could not be processed because it contained material flagged by a content"
        " checker.",
        {},
    ),
    "no_media_generated": (
        422,
        ["body", "prompt"],
        "The model did not generate the expected output for this prompt.",
        {},
    ),
    "image_load_error": (
        422,
        ["body", "image_url"],
        "Failed to load the image. Please ensure the image file is not corrupted and is in a"
        " supported format.",
        {},
    ),
    "file_download_error": (
        422,
        ["body", "image_url"],
        "Failed to download the file. Please check if the URL is accessible and try again.",
        {},
    ),
    "image_too_small": (
        422,
        ["body", "image_url"],
        "Image dimensions are too small. Minimum dimensions required: 128x128 pixels.",
        {"min_width": 128, "min_height": 128},
    ),
    "image_too_large": (
        422,
        ["body", "image_url"],
        "Image dimensions are too large. Maximum dimensions allowed: 8000x8000 pixels.",
        {"max_width": 8000, "max_height": 8000},
    ),
    "image_aspect_ratio_error": (
        422,
        ["body", "image_url"],
        "The aspect ratio of the image should be between 0.25 and 4.0.",
        {"min_aspect_ratio": 0.25, "max_aspect_ratio": 4.0},
    ),
    "file_too_large": (
        422,
        ["body", "image_url"],
        "File size exceeds the maximum allowed size of 52428800 bytes. Please upload a smaller"
        " file.",
        {"max_size": 52428800},
    ),
    "unsupported_image_format": (
        422,
        ["body", "image_url"],
        "Unsupported image format. Supported formats are png, jpeg, jpg, webp.",
        {"supported_formats": FORMATS},
    ),
    "face_detection_error": (
        422,
        ["body", "image_url"],
        "Could not detect face in the image. Please ensure the image contains a clear face.",
        {},
    ),
    "feature_not_supported": (422, ["body"], "The feature is not supported.", {}),
    "greater_than": (422, ["body", "seed"], "Input should be greater than 0", {"gt": 0}),
    "greater_than_equal": (
        422,
        ["body", "seed"],
        "Input should be greater than or equal to 0",
        {"ge": 0},
    ),
    "less_than": (
        422,
        ["body", "seed"],
        "Input should be less than 2147483648",
        {"lt": 2147483648},
    ),
    "less_than_equal": (
        422,
        ["body", "seed"],
        "Input should be less than or equal to 2147483647",
        {"le": 2147483647},
    ),
    "multiple_of": (422, ["body", "seed"], "Input should be a multiple of 2", {"multiple_of": 2}),
    "sequence_too_short": (
        422,
        ["body", "prompt"],
        "Input should have at least 1 items.",
        {"min_length": 1},
    ),
    "sequence_too_long": (
        422,
        ["body", "prompt"],
        "Input should have at most 1500 items.",
        {"max_length": 1500},
    ),
    "one_of": (
        422,
        ["body", "movement_amplitude"],
        "Input should be one of auto, small, medium, large.",
        {"expected": ["auto", "small", "medium", "large"]},
    ),
}
"""Errors of the model by type: status, place, words, context (fal.md 2.1)."""

INFRASTRUCTURE_ERRORS: dict[str, tuple[int, str]] = {
    "request_timeout": (504, "Request timed out"),
    "startup_timeout": (504, "The runner took too long to start."),
    "runner_scheduling_failure": (503, "No runner could be scheduled."),
    "runner_connection_timeout": (503, "The connection to the runner timed out."),
    "runner_disconnected": (503, "The runner disconnected."),
    "runner_connection_refused": (503, "The runner refused the connection."),
    "runner_connection_error": (503, "The connection to the runner failed."),
    "runner_incomplete_response": (502, "The runner sent an incomplete response."),
    "runner_server_error": (500, "The runner failed."),
    "client_disconnected": (499, "The client disconnected."),
    "client_cancelled": (499, "Request cancelled by the client."),
    "bad_request": (400, "Bad request"),
    "internal_error": (500, "Internal error"),
}
"""Errors of the platform by type: status and words (fal.md 2.3)."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as a value: a str body is HTML, any other is JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, headers: Mapping[str, str] | None = None) -> web.Response:
        """Return it for aiohttp to send, with further headers."""
        headers = {**self.headers, **(headers or {})}
        if isinstance(self.body, str):
            return web.Response(
                status=self.status, text=self.body, content_type="text/html", headers=headers
            )
        return web.json_response(self.body, status=self.status, headers=headers)


class Failure(Exception):
    """A job ends with an error.

    Args:
        answer: What its result answers.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def detail(status: int, text: str, **headers: str) -> Answer:
    """Return the short form, `{"detail": "..."}`."""
    return Answer(status, {"detail": text}, headers)


def model_error(kind: str, given: Any = None) -> Answer:
    """Return an error of the model (fal.md 2.1).

    Args:
        kind: A key of MODEL_ERRORS.
        given: The input that was at fault; it is echoed, as fal does.
    """
    status, place, message, context = MODEL_ERRORS[kind]
    error = {"loc": place, "msg": message, "type": kind, "url": DOCS + kind, "input": given}
    headers = {
        "x-fal-retryable": "true" if status >= 500 else "false",
        "x-fal-error-type": kind,
        "x-fal-billable-units": "0",
    }
    return Answer(status, {"detail": [error | ({"ctx": context} if context else {})]}, headers)


def infrastructure_error(kind: str, **headers: str) -> Answer:
    """Return an error of the platform around the model (fal.md 2.3)."""
    status, text = INFRASTRUCTURE_ERRORS[kind]
    body = {"detail": text, "error_type": kind}
    return Answer(status, body, {"x-fal-error-type": kind, **headers})


def platform_error(status: int, kind: str, message: str, request_id: str) -> Answer:
    """Return an error of api.fal.ai (fal.md 2.4)."""
    error = {
        "type": kind,
        "message": message,
        "docs_url": "https://docs.fal.ai/platform-apis",
        "request_id": request_id,
    }
    return Answer(status, {"error": error})


def nginx(status: int, reason: str) -> Answer:
    """Return the page of the reverse proxy in front of fal; it has no x-fal-request-id."""
    title = f"{status} {reason}"
    return Answer(
        status,
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>",
    )


async def silence() -> NoReturn:
    """Never answer; the server ends this when the client leaves."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def drop(request: web.BaseRequest) -> NoReturn:
    """Close the connection without another byte."""
    if request.transport:
        request.transport.abort()
    await silence()
