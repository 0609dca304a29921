"""A local fal with two jobs at a time, and a client with its key."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest

import local_fal


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
