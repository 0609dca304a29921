"""Faults that can strike every kind of request."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from ....support.local_fal_calls import LISTING, PLACES, REST, STATUSES, SUBMIT


@pytest.fixture
def ask(client, post, finish, result, image_url) -> Callable[[str], Callable[[], httpx.Response]]:
    """Makes ready for a request of a kind and returns what makes it."""

    def ask(place: str) -> Callable[[], httpx.Response]:
        if place in ("status", "result", "cancel"):
            handle = post().json()
            finish(handle)
            name = {"status": "status_url", "result": "response_url", "cancel": "cancel_url"}[place]
            method = "PUT" if place == "cancel" else "GET"
            return lambda: client.request(method, handle[name], timeout=0.3)
        return {
            "submit": lambda: client.post(SUBMIT, json={}, timeout=0.3),
            "token": lambda: client.post(f"{REST}/storage/auth/token", timeout=0.3),
            "upload": lambda: client.post("https://v3.fal.media/files/upload", timeout=0.3),
            "download": lambda: client.get(image_url, timeout=0.3),
            "listing": lambda: client.get(LISTING, timeout=0.3),
        }[place]

    return ask


@pytest.mark.parametrize("place", PLACES)
def test_place_fault_strikes_once_and_accepts_no_job(fal, ask, place):
    request = ask(place)
    jobs = fal.ledger()["counts"]["jobs"]
    for kind in STATUSES:
        fal.set_faults(f"{place}_{kind}:1")
        response = request()
        assert response.status_code == int(kind)
        assert ("nginx" in response.text) == (kind in ("502", "503", "504"))
        assert "x-fal-request-id" not in response.headers
        assert response.headers.get("retry-after") == ("2" if kind == "429" else None)
    fal.set_faults(f"{place}_reset:1")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        request()
    fal.set_faults(f"{place}_timeout:1")
    with pytest.raises(httpx.ReadTimeout):
        request()
    assert fal.ledger()["counts"]["jobs"] == jobs
    # Each happened once: the next is answered as ever.
    assert request().status_code in (200, 400, 401)


def test_drip_sends_one_byte_every_third_of_a_second(fal, client, post, finish):
    handle = post().json()
    finish(handle)
    fal.set_faults("status_drip:1")
    with client.stream("GET", handle["status_url"]) as response:
        began = time.monotonic()
        chunks = [chunk for chunk, _ in zip(response.iter_raw(), range(4), strict=False)]
    assert [len(chunk) for chunk in chunks] == [1, 1, 1, 1]
    assert time.monotonic() - began > 0.8
    assert client.get(handle["status_url"]).status_code == 200


@pytest.mark.parametrize("kind", ["endless", "gzip_bomb"])
def test_endless_error_body_outlasts_a_patient_reader(fal, client, post, finish, kind):
    handle = post().json()
    finish(handle)
    fal.set_faults(f"status_{kind}:1")
    read = 0
    with client.stream("GET", handle["status_url"]) as response:
        assert response.status_code == 500
        for chunk in response.iter_bytes():
            read += len(chunk)
            if read > 20_000_000:
                break
    assert read > 20_000_000
    assert client.get(handle["status_url"]).status_code == 200
