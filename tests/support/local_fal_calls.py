"""What the tests of local_fal call, and the statuses its errors must have."""

from __future__ import annotations

import io

import av
import httpx

ENDPOINT = "fal-ai/vidu/image-to-video"
SUBMIT = f"https://queue.fal.run/{ENDPOINT}"
REST = "https://rest.fal.ai"
LISTING = f"https://api.fal.ai/v1/models/requests/by-endpoint?endpoint_id={ENDPOINT}"
FRAMES = 12

STATUSES = ("408", "409", "429", "500", "502", "503", "504")
PLACES = (
    "submit",
    "token",
    "upload",
    "status",
    "result",
    "cancel",
    "download",
    "listing",
)

MODEL_ERRORS = {
    "internal_server_error": 500,
    "generation_timeout": 504,
    "downstream_service_error": 400,
    "downstream_service_unavailable": 500,
    **dict.fromkeys(
        [
            "content_policy_violation",
            "no_media_generated",
            "image_load_error",
            "file_download_error",
            "image_too_small",
            "image_too_large",
            "image_aspect_ratio_error",
            "file_too_large",
            "unsupported_image_format",
            "unsupported_video_format",
            "unsupported_audio_format",
            "audio_duration_too_short",
            "audio_duration_too_long",
            "face_detection_error",
            "feature_not_supported",
            "greater_than",
            "greater_than_equal",
            "less_than",
            "less_than_equal",
            "multiple_of",
            "sequence_too_short",
            "sequence_too_long",
            "one_of",
        ],
        422,
    ),
}

INFRASTRUCTURE_ERRORS = {
    "request_timeout": 504,
    "startup_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
    "internal_error": 500,
}


def token(client: httpx.Client) -> httpx.Response:
    return client.post(f"{REST}/storage/auth/token?storage_type=fal-cdn-v3", json={})


def upload(client: httpx.Client, data: bytes) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token(client).json()['token']}"}
    return client.post("https://v3.fal.media/files/upload", content=data, headers=bearer)


def opened(data: bytes):
    return av.open(io.BytesIO(data))
