"""A local fal with tiny clips, and a job on it at each stage."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image

import local_fal

from ....support.local_fal_calls import FRAMES, SUBMIT, upload


@pytest.fixture(scope="module")
def shared() -> Iterator:
    with local_fal.running(
        generation_seconds=0.05, clip_size=(64, 36), clip_frames=FRAMES, concurrency=2
    ) as fal:
        yield fal


@pytest.fixture(scope="module")
def image_url(shared, client) -> str:
    file = io.BytesIO()
    Image.effect_noise((64, 36), 90).convert("RGB").save(file, "PNG")
    return upload(client, file.getvalue()).json()["access_url"]


@pytest.fixture
def post(client, image_url) -> Callable[[], httpx.Response]:
    return lambda: client.post(SUBMIT, json={"prompt": "a wave", "image_url": image_url})


@pytest.fixture
def finish(client) -> Callable[[dict], dict]:
    def finish(handle: dict) -> dict:
        while (response := client.get(handle["status_url"])).status_code == 202:
            time.sleep(0.02)
        assert response.status_code == 200
        return response.json()

    return finish


@pytest.fixture
def result(client, post, finish) -> Callable[[], httpx.Response]:
    def result() -> httpx.Response:
        handle = post().json()
        finish(handle)
        return client.get(handle["response_url"])

    return result
