"""A local fal with two jobs at a time, and a client with its key."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import local_fal

from ...support.endpoint_inputs import APP, LEAST, QUEUE


@pytest.fixture(scope="module")
def shared() -> Iterator:
    with local_fal.running(
        generation_seconds=0.05, clip_size=(64, 36), clip_frames=4, concurrency=2
    ) as fal:
        yield fal


@pytest.fixture
def fal(shared):
    shared.reset()
    return shared


@pytest.fixture(scope="module")
def client(shared) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=shared.environment["SSL_CERT_FILE"])
    headers = {"Authorization": f"Key {shared.key}"}
    with httpx.Client(proxy=shared.url, verify=trust, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture
def run(fal, client) -> Callable[..., httpx.Response]:
    """Submits the least input of an endpoint, with changes; returns the result's response."""

    def run(endpoint: str, **changes: Any) -> httpx.Response:
        given = {k: v for k, v in (LEAST[endpoint][0] | changes).items() if v is not ...}
        handle = client.post(f"{QUEUE}/{APP}/{endpoint}", json=given).json()
        while client.get(handle["status_url"]).status_code == 202:
            time.sleep(0.01)
        return client.get(handle["response_url"])

    return run
