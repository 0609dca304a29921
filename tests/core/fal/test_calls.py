"""Every call of `Fal` ends in time and reads no more than a megabyte."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from email.utils import formatdate

import pytest

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO as ENDPOINT
from vidu.errors import (
    ApiStatusError,
    CertificateError,
    ConnectionFailedError,
    ResponseTooLargeError,
    ServiceError,
    UnreadableResponseError,
    UploadError,
)
from vidu.provider import Completed, Queued
from vidu.settings import Settings

from ...support.raw_fal import HOSTS, Received, response
from ...support.raw_responses import (
    ACCEPTED,
    HANDLE,
    IMAGE,
    PATIENT,
    QUEUED,
    always,
    client,
    drip,
    endless,
    in_turn,
    name_of,
)


def inflating(_: Received, connection: socket.socket) -> None:
    """Gzip of zeros, forever."""
    connection.sendall(response(b"", 500, "Content-Encoding: gzip", length=None))
    squeeze = zlib.compressobj(wbits=31)
    zeros = bytes(1_000_000)
    while True:
        connection.sendall(squeeze.compress(zeros))


CALLS = {
    "status": lambda fal: fal.status(HANDLE),
    "result": lambda fal: fal.result(HANDLE, Completed(failed=False), may_have_run=True),
    "find_output": lambda fal: fal.find_output("fal-ai/vidu", HANDLE),
    "find_lost_request": lambda fal: fal.find_lost_request(
        "fal-ai/vidu", {}, None, None, is_known=never
    ),
    "upload": lambda fal: fal.upload(IMAGE),
    "check_key": lambda fal: fal.check_key(),
}


async def never(_: str) -> bool:
    return False


@pytest.mark.parametrize("call", CALLS)
async def test_call_dripping_response_ends_by_its_total_timeout(call, raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.http.CONNECT_TIMEOUT_S", 0.5)
    raw_fal(drip)
    started = time.monotonic()
    async with client() as fal:
        with pytest.raises(ServiceError, match=r"no whole response within|could not be uploaded"):
            await CALLS[call](fal)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [endless(500), endless(200), inflating], ids=name_of)
async def test_call_endless_response_is_refused_after_a_megabyte(call, body, raw_fal):
    raw_fal(body)
    async with client() as fal:
        tracemalloc.start()
        with pytest.raises(ServiceError, match="without end"):
            await CALLS[call](fal)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10_000_000  # the sender's own megabytes are in this process, too


@pytest.mark.parametrize("call", CALLS)
async def test_call_asks_for_no_packing(call, raw_fal):
    """httpx would ask for each that the system has, and some of them are not unpacked here."""
    fal_server = raw_fal(always(response("{}", 500)))
    async with client() as fal:
        with pytest.raises(ServiceError):
            await CALLS[call](fal)
    assert {each.headers["accept-encoding"] for each in fal_server.received} == {"identity"}


@pytest.mark.parametrize("call", CALLS)
async def test_call_silent_fal_is_given_up_by_the_read_timeout(call, raw_fal):
    over = threading.Event()
    raw_fal(lambda *_: over.wait())
    async with client() as fal:
        with pytest.raises(ServiceError, match="read timed out"):
            await CALLS[call](fal)
    over.set()


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "raw deflate"])
async def test_status_packed_response_is_unpacked(encoding, raw_fal):
    squeeze = zlib.compressobj(wbits={"deflate": 15, "raw deflate": -15}.get(encoding, 31))
    packed = squeeze.compress(QUEUED.encode()) + squeeze.flush()
    raw_fal(always(response(packed, 202, f"Content-Encoding: {encoding.split()[-1]}")))
    async with client() as fal:
        assert await fal.status(HANDLE) == Queued(2)


@pytest.mark.parametrize(
    "answer",
    [
        response(gzip.compress(QUEUED.encode())[:-9], 202, "Content-Encoding: gzip"),
        response(b"no gzip", 202, "Content-Encoding: gzip"),
        response(QUEUED, 202, "Content-Encoding: br"),
        response(QUEUED, 202, length=len(QUEUED) + 1),
        response("[" * 100_000, 202),
        response('{"status": "SLEEPING"}', 202),
        response('{"status": "COMPLETED"}'),
        response("null", 202),
        b"",
        b"\x00\x01\x02\r\n\r\n",
    ],
    ids=name_of,
)
async def test_status_broken_response_is_retryable(answer, raw_fal):
    raw_fal(always(answer))
    async with client() as fal:
        with pytest.raises((ConnectionFailedError, UnreadableResponseError)) as caught:
            await fal.status(HANDLE)
    assert caught.value.retryable
    assert caught.value.status_code is None


async def test_status_failing_twice_is_asked_again_inside(raw_fal):
    bad = response("nginx", 502)
    fal_server = raw_fal(in_turn(bad, bad, response(QUEUED, 202)))
    async with client(PATIENT) as fal:
        assert await fal.status(HANDLE) == Queued(2)
    assert len(fal_server.received) == 3


async def test_status_not_found_right_after_the_submit_is_asked_again(raw_fal):
    missing = response('{"status": "NOT_FOUND"}', 404)
    fal_server = raw_fal(in_turn(response(ACCEPTED), missing, response(QUEUED, 202), missing))
    async with client(PATIENT) as fal:
        handle = await fal.submit(ENDPOINT, {"prompt": "x"})
        assert await fal.status(handle) == Queued(2)
    assert [each.method for each in fal_server.received] == ["POST", "GET", "GET"]


async def test_status_not_found_for_longer_is_final(raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.client.YOUNG_S", 2)
    fal_server = raw_fal(always(response('{"status": "NOT_FOUND"}', 404)))
    async with client(PATIENT) as fal:
        with pytest.raises(ApiStatusError) as caught:
            await fal.status(HANDLE)
        assert caught.value.status_code == 404
        with pytest.raises(ApiStatusError):
            await fal.status(HANDLE)
    assert len(fal_server.received) in (3, 4)  # two or three by the first call, one by the second


# -- fal's own time ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 503])
async def test_server_time_is_fals_whatever_this_machine_says(status, raw_fal):
    date = f"Date: {formatdate(1_000_000_000, usegmt=True)}"
    fal_server = raw_fal(always(response('{"status": "NOT_FOUND"}', status, date)))
    async with client() as fal:
        assert await fal.server_time() == pytest.approx(1_000_000_000, abs=5)
        assert await fal.server_time() == pytest.approx(1_000_000_000, abs=5)
    assert len(fal_server.received) == 1  # asked once, and free
    assert "/status" in fal_server.received[0].target


@pytest.mark.parametrize("headers", [[], ["Date: soon"], ["Age: 7", f"Date: {formatdate()}"]])
async def test_server_time_unknown_is_none(headers, raw_fal):
    raw_fal(always(response("{}", 404, *headers)))
    async with client() as fal:
        assert await fal.server_time() is None


async def test_server_time_without_a_connection_is_none(raw_fal):
    raw_fal(always(b""))
    async with client() as fal:
        assert await fal.server_time() is None


# -- certificates --------------------------------------------------------------------------------


async def test_call_untrusted_certificate_is_named_and_not_retried(raw_fal, monkeypatch):
    fal_server = raw_fal(always(response(QUEUED, 202)))
    monkeypatch.delenv("SSL_CERT_FILE")
    started = time.monotonic()
    async with client(Settings(read_timeout_s=5, retry_timeout_s=300)) as fal:
        for call in (fal.status(HANDLE), fal.submit(ENDPOINT, {})):
            with pytest.raises(CertificateError, match=r"certificate of queue.fal.* not trusted"):
                await call
        with pytest.raises(CertificateError, match="SSL_CERT_FILE"):
            await asyncio.to_thread(fal.cancel, HANDLE)
        with pytest.raises(UploadError, match=r"certificate of rest.fal.ai is not trusted"):
            await fal.upload(IMAGE)
    assert fal_server.received == []
    assert time.monotonic() - started < 5


async def test_call_certificate_of_another_host_is_named(raw_fal):
    raw_fal(always(response(QUEUED, 202)), hosts=("example.com",))
    async with client(Settings(read_timeout_s=5, retry_timeout_s=300)) as fal:
        with pytest.raises(CertificateError, match="Hostname mismatch"):
            await fal.status(HANDLE)


def test_response_too_large_is_one_that_cannot_be_read():
    assert issubclass(ResponseTooLargeError, UnreadableResponseError)
    assert "queue.fal.run" in HOSTS
