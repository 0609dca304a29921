"""What happens to a job on its turn: the input is validated, the image loaded, a clip made."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import random
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import BaseModel, Field, ValidationError

from .clips import ClipSpec, make_clip
from .faults import ODD_DETAILS
from .jobs import Job
from .media import Media
from .responses import (
    INFRASTRUCTURE_ERRORS,
    MODEL_ERRORS,
    Answer,
    Failure,
    detail,
    infrastructure_error,
    model_error,
)

MOST_BYTES = 50 * 1024 * 1024
SLOW = 10

STRANGE_URLS = {
    "file_url": "file:///srv/output.mp4",
    "http_url": "http://v3b.fal.media/files/b/0aac27e0/hzumoERxCN0OZTqbpMb2L_output.mp4",
    "private_url": "https://192.168.0.10/output.mp4",
}


class ImageToVideo(BaseModel):
    """The input of fal-ai/vidu/image-to-video (fal.md 5.1)."""

    prompt: str = Field(max_length=1500)
    image_url: str
    seed: int | None = None
    movement_amplitude: Literal["auto", "small", "medium", "large"] = "auto"


SCHEMAS: dict[str, type[ImageToVideo]] = {"fal-ai/vidu/image-to-video": ImageToVideo}


class Runner:
    """Runs jobs.

    Args:
        media: Where images come from and clips go to.
        shape: Size and length of the clips.
        generation_seconds: How long a job takes at least.
        pool: Where clips are rendered.
    """

    def __init__(
        self, media: Media, shape: ClipSpec, generation_seconds: float, pool: Executor
    ) -> None:
        self._media = media
        self._shape = shape
        self._seconds = generation_seconds
        self._pool = pool

    async def run(self, job: Job) -> Answer:
        """Return what the job's result will answer."""
        try:
            return Answer(200, await self._generate(job), {"x-fal-billable-units": "1"})
        except Failure as failure:
            return failure.answer

    async def _generate(self, job: Job) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds * (SLOW if "slow" in job.faults else 1)
        given = _validated(job)
        data = self._download_and_check(given.image_url)
        job.image_sha256 = hashlib.sha256(data).hexdigest()
        pixels = _loaded(data, given.image_url)
        failure = _injected(job)
        path = None
        if failure is None:
            path = await self._rendered(job, given, pixels)
        await asyncio.sleep(due - loop.time())
        if failure:
            raise Failure(failure)
        assert path is not None
        return _output(job, self._media.publish(path, "output.mp4", "video/mp4"), path)

    def _download_and_check(self, url: str) -> bytes:
        data = _inline(url) if url.startswith("data:") else self._media.read(url)
        if data is None:
            raise Failure(model_error("file_download_error", url))
        if len(data) > MOST_BYTES:
            raise Failure(model_error("file_too_large", url))
        return data

    async def _rendered(self, job: Job, given: ImageToVideo, pixels: NDArray[np.uint8]) -> Path:
        path = self._media.new_path(".mp4")
        # Vidu takes 0 for "choose one", as it does no seed at all.
        seed = given.seed or random.Random(job.request_id).randrange(1, 2**31)
        await asyncio.get_running_loop().run_in_executor(
            self._pool,
            make_clip,
            path,
            pixels,
            seed,
            given.movement_amplitude,
            self._shape,
            job.faults,
        )
        return path


def _validated(job: Job) -> ImageToVideo:
    schema = SCHEMAS.get(job.endpoint)
    if schema is None:
        path = job.endpoint.removeprefix(job.app)
        raise Failure(detail(404, f"Path {path} not found"))
    try:
        return schema.model_validate(job.input)
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
        body = [{**error, "loc": ["body", *error["loc"]]} for error in errors]
        headers = {"x-fal-billable-units": "0", "x-fal-retryable": "false"}
        raise Failure(Answer(422, {"detail": body}, headers)) from None


def _inline(uri: str) -> bytes | None:
    head, _, text = uri.partition(",")
    if not head.endswith(";base64"):
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _loaded(data: bytes, url: str) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(data))
        if image.format not in ("PNG", "JPEG", "WEBP"):
            raise Failure(model_error("unsupported_image_format", url))
        pixels = np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError):
        raise Failure(model_error("image_load_error", url)) from None
    if not 1 / 4 <= image.width / image.height <= 4:
        raise Failure(model_error("image_aspect_ratio_error", url))
    return pixels


def _injected(job: Job) -> Answer | None:
    for name in sorted(job.faults):
        if name in ODD_DETAILS:
            return ODD_DETAILS[name]
        if name in MODEL_ERRORS:
            place = MODEL_ERRORS[name][1]
            return model_error(name, job.input.get(place[-1], job.input))
        if name in INFRASTRUCTURE_ERRORS:
            return infrastructure_error(name)
    return None


def _output(job: Job, url: str, path: Path) -> dict[str, Any]:
    if "video_missing" in job.faults:
        return {}
    if "video_null" in job.faults:
        return {"video": None}
    url = next((strange for name, strange in STRANGE_URLS.items() if name in job.faults), url)
    if "url_only" in job.faults:
        return {"video": {"url": url}}
    size = path.stat().st_size
    kind = "video/mp4"
    return {
        "video": {"url": url, "content_type": kind, "file_name": "output.mp4", "file_size": size}
    }
