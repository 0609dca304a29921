"""Jobs on local_fal as a plain HTTP client makes them: submit, wait, result."""

from __future__ import annotations

import base64
import io
import time
import uuid

import httpx
from PIL import Image

ENDPOINT = "fal-ai/vidu/image-to-video"
QUEUE = "https://queue.fal.run"
LISTING = "https://api.fal.ai/v1/models/requests/by-endpoint"
NOBODY = str(uuid.uuid4())


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 36)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(file, kind)
    return file.getvalue()


def data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def submit(client: httpx.Client, headers: dict | None = None, **given) -> dict:
    body = {"prompt": "a wave", "image_url": data_uri(picture()), **given}
    response = client.post(f"{QUEUE}/{ENDPOINT}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def finished(client: httpx.Client, handle: dict) -> dict:
    while (response := client.get(handle["status_url"])).status_code == 202:
        time.sleep(0.02)
    assert response.status_code == 200
    return response.json()


def result_of(client: httpx.Client, **given) -> httpx.Response:
    handle = submit(client, **given)
    finished(client, handle)
    return client.get(handle["response_url"])
