"""fal's responses as values: statuses, headers and bodies, as the reference quotes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

DOCS = "https://docs.fal.ai/errors/#"
FORMATS = ["png", "jpeg", "jpg", "webp"]
Place = tuple[str | int, ...]
"""Where in the input something is: a field, and in a list its index."""


@dataclass(frozen=True)
class ModelError:
    """One kind of error of the model (fal.md 2.1).

    Args:
        status: The result's status.
        blames: What of the input it is about: "image", "media", a field's name, or "" for none.
        message: `{limit}` stands for the limit that was broken.
        context: What `ctx` holds; a value of "limit" stands for the limit.
        limit: The limit when none is given.
    """

    status: int
    blames: str
    message: str
    context: Mapping[str, Any] = field(default_factory=dict)
    limit: Any = None


MODEL_ERRORS: dict[str, ModelError] = {
    "internal_server_error": ModelError(500, "", "Internal server error"),
    "generation_timeout": ModelError(504, "", "Generation timeout"),
    "downstream_service_error": ModelError(400, "", "Downstream service error"),
    "downstream_service_unavailable": ModelError(500, "", "Downstream service unavailable"),
    "content_policy_violation": ModelError(
        422,
        "prompt",
        "The content could not be processed because it contained material flagged by a content"
        " checker.",
    ),
    "no_media_generated": ModelError(
        422, "prompt", "The model did not generate the expected output for this prompt."
    ),
    "image_load_error": ModelError(
        422,
        "image",
        "Failed to load the image. Please ensure the image file is not corrupted and is in a"
        " supported format.",
    ),
    "file_download_error": ModelError(
        422,
        "media",
        "Failed to download the file. Please check if the URL is accessible and try again.",
    ),
    "image_too_small": ModelError(
        422,
        "image",
        "Image dimensions are too small. Minimum dimensions required: 128x128 pixels.",
        {"min_width": 128, "min_height": 128},
    ),
    "image_too_large": ModelError(
        422,
        "image",
        "Image dimensions are too large. Maximum dimensions allowed: 8000x8000 pixels.",
        {"max_width": 8000, "max_height": 8000},
    ),
    "image_aspect_ratio_error": ModelError(
        422,
        "image",
        "The aspect ratio of the image should be between 0.25 and 4.0.",
        {"min_aspect_ratio": 0.25, "max_aspect_ratio": 4.0},
    ),
    "file_too_large": ModelError(
        422,
        "media",
        "File size exceeds the maximum allowed size of 52428800 bytes. Please upload a smaller"
        " file.",
        {"max_size": 52428800},
    ),
    "unsupported_image_format": ModelError(
        422,
        "image",
        "Unsupported image format. Supported formats are png, jpeg, jpg, webp.",
        {"supported_formats": FORMATS},
    ),
    "unsupported_video_format": ModelError(422, "video", "Unsupported video format."),
    "unsupported_audio_format": ModelError(
        422, "audio", "Unsupported audio format.", {"supported_formats": ["mp3"]}
    ),
    "audio_duration_too_short": ModelError(
        422,
        "audio",
        "The audio is too short. The minimum duration is {limit} seconds.",
        {"min_duration": "limit"},
        3,
    ),
    "audio_duration_too_long": ModelError(
        422,
        "audio",
        "The audio is too long. The maximum duration is {limit} seconds.",
        {"max_duration": "limit"},
        12,
    ),
    "face_detection_error": ModelError(
        422,
        "image",
        "Could not detect face in the image. Please ensure the image contains a clear face.",
    ),
    "feature_not_supported": ModelError(422, "", "The feature is not supported."),
    "greater_than": ModelError(
        422, "seed", "Input should be greater than {limit}", {"gt": "limit"}, 0
    ),
    "greater_than_equal": ModelError(
        422, "seed", "Input should be greater than or equal to {limit}", {"ge": "limit"}, 0
    ),
    "less_than": ModelError(
        422, "seed", "Input should be less than {limit}", {"lt": "limit"}, 2147483648
    ),
    "less_than_equal": ModelError(
        422, "seed", "Input should be less than or equal to {limit}", {"le": "limit"}, 2147483647
    ),
    "multiple_of": ModelError(
        422, "seed", "Input should be a multiple of {limit}", {"multiple_of": "limit"}, 2
    ),
    "sequence_too_short": ModelError(
        422, "prompt", "Input should have at least {limit} items.", {"min_length": "limit"}, 1
    ),
    "sequence_too_long": ModelError(
        422, "prompt", "Input should have at most {limit} items.", {"max_length": "limit"}, 1500
    ),
    "one_of": ModelError(
        422,
        "movement_amplitude",
        "Input should be one of {limit}.",
        {"expected": "limit"},
        ["auto", "small", "medium", "large"],
    ),
}
"""Errors of the model by type; those of videos and voices are inferred from those of images."""

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
"""Errors of the platform by type: status and message (fal.md 2.3)."""


@dataclass(frozen=True)
class CannedResponse:
    """An HTTP response as a value: a str body is HTML, any other is JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def build(self, headers: Mapping[str, str] | None = None) -> web.Response:
        """Return it for aiohttp to send, with further headers."""
        headers = {**self.headers, **(headers or {})}
        if isinstance(self.body, str):
            return web.Response(
                status=self.status, text=self.body, content_type="text/html", headers=headers
            )
        return web.json_response(self.body, status=self.status, headers=headers)


class JobFailedError(Exception):
    """A job ends with an error.

    Args:
        response: What its result answers.
    """

    def __init__(self, response: CannedResponse) -> None:
        super().__init__(response.status)
        self.response = response


def error_detail(status: int, text: str, **headers: str) -> CannedResponse:
    """Return the short form, `{"detail": "..."}`."""
    return CannedResponse(status, {"detail": text}, headers)


def model_error(
    kind: str, place: Place = (), given: Any = None, limit: Any = None
) -> CannedResponse:
    """Return an error of the model.

    Args:
        kind: A key of MODEL_ERRORS.
        place: The place in the input that is at fault; () for the input as a whole.
        given: What stands there; it is echoed, as fal does.
        limit: The limit that was broken.
    """
    row = MODEL_ERRORS[kind]
    limit = row.limit if limit is None else limit
    context = {name: limit if value == "limit" else value for name, value in row.context.items()}
    shown = ", ".join(limit) if isinstance(limit, list) else limit
    error = {
        "loc": ["body", *place],
        "msg": row.message.format(limit=shown),
        "type": kind,
        "url": DOCS + kind,
        "input": given,
    }
    headers = {
        "x-fal-retryable": "true" if row.status >= 500 else "false",
        "x-fal-error-type": kind,
        "x-fal-billable-units": "0",
    }
    return CannedResponse(
        row.status, {"detail": [error | ({"ctx": context} if context else {})]}, headers
    )


def infrastructure_error(kind: str, **headers: str) -> CannedResponse:
    """Return an error of the platform around the model (fal.md 2.3)."""
    status, text = INFRASTRUCTURE_ERRORS[kind]
    body = {"detail": text, "error_type": kind}
    return CannedResponse(status, body, {"x-fal-error-type": kind, **headers})


def platform_error(status: int, kind: str, message: str, request_id: str) -> CannedResponse:
    """Return an error of api.fal.ai (fal.md 2.4)."""
    error = {
        "type": kind,
        "message": message,
        "docs_url": "https://docs.fal.ai/platform-apis",
        "request_id": request_id,
    }
    return CannedResponse(status, {"error": error})


def nginx_page(status: int, reason: str) -> CannedResponse:
    """Return the page of the reverse proxy in front of fal; it has no x-fal-request-id."""
    title = f"{status} {reason}"
    return CannedResponse(
        status,
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>",
    )
