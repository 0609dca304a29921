"""The runner of a job: it validates the input, loads the media and makes the output."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import Executor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from . import clips, inputs
from .catalog import ENDPOINTS, Endpoint
from .clips import ClipSpec
from .faults import ODD_DETAILS, REFUSED_MEDIUM
from .inputs import media_places
from .jobs import Job
from .media import Media
from .responses import (
    INFRASTRUCTURE_ERRORS,
    MODEL_ERRORS,
    CannedResponse,
    JobFailedError,
    Place,
    error_detail,
    infrastructure_error,
    model_error,
)
from .rules import Input

SLOW = 10
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".png": "image/png",
}
STRANGE_URLS = {
    "file_url": "file:///srv/output.mp4",
    "http_url": "http://v3b.fal.media/files/b/0aac27e0/hzumoERxCN0OZTqbpMb2L_output.mp4",
    "private_url": "https://192.168.0.10/output.mp4",
}


class Runner:
    """Runs jobs.

    Args:
        media: Where inputs come from and outputs go to.
        spec: How clips differ from what was asked for.
        generation_seconds: How long a job takes at least.
        pool: Where media are decoded and clips rendered.
    """

    def __init__(
        self, media: Media, spec: ClipSpec, generation_seconds: float, pool: Executor
    ) -> None:
        self._media = media
        self._spec = spec
        self._seconds = generation_seconds
        self._pool = pool

    async def run(self, job: Job) -> CannedResponse:
        """Return what the job's result will answer."""
        try:
            return await self._generate(job)
        except JobFailedError as failure:
            return failure.response

    async def _generate(self, job: Job) -> CannedResponse:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._seconds * (SLOW if "slow" in job.faults else 1)
        endpoint = _endpoint_of(job)
        given = inputs.validate(endpoint, job.input)
        load = partial(inputs.load_media, given, self._media.read)
        loaded = await loop.run_in_executor(self._pool, load)
        job.media_sha256 = loaded.sha256
        failure = _injected_failure(job, given)
        path = None
        # Vidu takes 0 as "choose one", as it does no seed at all.
        seed = given["seed"] or random.Random(job.request_id).randrange(1, 2**31)
        if failure is None:
            make = partial(self._make, job, endpoint, given, loaded, seed)
            path = await loop.run_in_executor(self._pool, make)
        await asyncio.sleep(due - loop.time())
        if failure:
            raise JobFailedError(failure)
        assert path is not None
        rate, new_s = endpoint.rate(given), endpoint.duration_s(given)
        # Whether fal bills an extension's input is not known; this is the dearer reading.
        seconds = Decimal(str(round(loaded.video_s, 3))) + new_s if endpoint.extends else new_s
        job.price_usd = rate.base + rate.per_second * seconds
        units = f"{seconds}" if rate.per_second else "1"
        body = self._output(job, endpoint, path, seed)
        return CannedResponse(200, body, {"x-fal-billable-units": units})

    def _make(
        self, job: Job, endpoint: Endpoint, given: Input, loaded: inputs.Media, seed: int
    ) -> Path:
        first = loaded.last_frame if endpoint.extends else next(iter(loaded.images), None)
        ratio = _ratio(given, None if first is None else (first.shape[1], first.shape[0]))
        if first is None:
            first = clips.make_card(seed, ratio)
        size = self._spec.size_of(given.get("resolution", endpoint.resolution), ratio)
        if endpoint.output == "image" and "clip_instead" not in job.faults:
            return clips.make_still(self._media.new_path(".png"), first, size=size)
        return clips.make_clip(
            self._media.new_path(".mp4"),
            first,
            size=size,
            frame_count=self._spec.frame_count or endpoint.duration_s(given) * clips.FPS,
            seed=seed,
            movement_amplitude=given.get("movement_amplitude", "auto"),
            has_sound=endpoint.has_sound or given.get("audio") or given.get("bgm") or False,
            faults=job.faults,
        )

    def _output(self, job: Job, endpoint: Endpoint, path: Path, seed: int) -> dict[str, Any]:
        field = endpoint.output
        if "video_missing" in job.faults:
            return {}
        if "video_null" in job.faults:
            return {field: None}
        body: dict[str, Any] = {field: self._file(job, path)}
        if field == "image" and path.suffix == ".png":
            with Image.open(path) as image:
                body[field] |= {"width": image.width, "height": image.height}
        if endpoint.echoes_seed:
            body |= {"seed": seed, "cover_image": self._cover(path)}
        return body

    def _file(self, job: Job, path: Path) -> dict[str, Any]:
        name, kind = f"output{path.suffix}", CONTENT_TYPES[path.suffix]
        url = self._media.publish(path, name, kind)
        url = next((strange for fault, strange in STRANGE_URLS.items() if fault in job.faults), url)
        if "url_only" in job.faults:
            return {"url": url}
        size = path.stat().st_size + ("file_size_off_by_one" in job.faults)
        return {"url": url, "content_type": kind, "file_name": name, "file_size": size}

    def _cover(self, clip: Path) -> dict[str, Any]:
        cover = self._media.new_path(".png")
        Image.new("RGB", (64, 36)).save(cover)
        return {"url": self._media.publish(cover, "cover.png", "image/png")}


def _endpoint_of(job: Job) -> Endpoint:
    endpoint = ENDPOINTS.get(job.endpoint)
    if endpoint is None:
        path = job.endpoint.removeprefix(job.app)
        raise JobFailedError(error_detail(404, f"Path {path} not found"))
    return endpoint


def _ratio(given: Input, image: tuple[int, int] | None) -> tuple[int, int]:
    """Return width and height, of which only the ratio counts: the input's, else the image's."""
    width, _, height = given.get("aspect_ratio", "auto").partition(":")
    if height:
        return int(width), int(height)
    return image or (16, 9)


def _injected_failure(job: Job, given: Input) -> CannedResponse | None:
    for name in sorted(job.faults):
        if name in ODD_DETAILS:
            return ODD_DETAILS[name]
        if name in REFUSED_MEDIUM:
            places = media_places(given) or [(("prompt",), given.get("prompt", ""))]
            place, url = places[0 if name == "first_medium_refused" else -1]
            return model_error("content_policy_violation", place, url)
        if name in MODEL_ERRORS:
            place = _blamed_place(MODEL_ERRORS[name].blames, given)
            return model_error(name, place, given.get(str(place[0])) if place else dict(given))
        if name in INFRASTRUCTURE_ERRORS:
            return infrastructure_error(name)
    return None


def _blamed_place(blames: str, given: Input) -> Place:
    """Return where in this input such an error is; () when the input has no such place."""
    if blames in ("image", "video", "audio", "media"):  # `audio` is a switch as well
        places = media_places(given, "" if blames == "media" else blames)
        return places[0][0] if places else ()
    return (blames,) if blames in given else ()
