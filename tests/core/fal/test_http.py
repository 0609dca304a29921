"""The clients under `Fal`: how long a call may take, when its first byte leaves, why it failed."""

from __future__ import annotations

import time
from types import SimpleNamespace

import httpx
import pytest

from vidu.errors import ConnectionFailedError, ServiceError
from vidu.fal.certificates import create_tls_context
from vidu.fal.http import NoRetryClient, SendTrace, to_connection_error, total_timeout_s
from vidu.fal.server_clock import ServerClock

from ...support.raw_fal import response
from ...support.raw_responses import ACCEPTED, BASE, always, drip

SENDING = "http11.send_request_headers.started"


def asking(method: bytes) -> dict[str, object]:
    return {"request": SimpleNamespace(method=method)}


def raw_client() -> NoRetryClient:
    return NoRetryClient(create_tls_context(), ServerClock(), 5.0)


async def test_send_trace_waits_before_the_first_byte_of_the_request_alone():
    seen = []

    async def before_sending() -> None:
        seen.append(trace.may_have_left)

    trace = SendTrace(before_sending)
    await trace("connection.connect_tcp.started", {})
    await trace("http11.send_request_headers.complete", asking(b"POST"))
    await trace(SENDING, asking(b"CONNECT"))
    assert (seen, trace.may_have_left) == ([], False)
    await trace(SENDING, asking(b"POST"))
    await trace(SENDING, asking(b"POST"))
    assert (seen, trace.may_have_left) == ([False], True)


async def test_send_trace_that_is_stopped_has_sent_nothing():
    async def stop() -> None:
        raise ZeroDivisionError

    trace = SendTrace(stop)
    with pytest.raises(ZeroDivisionError):
        await trace(SENDING, asking(b"POST"))
    assert not trace.may_have_left


async def test_send_trace_with_nothing_to_wait_for_tells_that_bytes_left():
    trace = SendTrace()
    await trace(SENDING, asking(b"POST"))
    assert trace.may_have_left


def test_total_timeout_has_room_for_a_connection_and_two_silences():
    assert total_timeout_s(20) == 50


async def test_send_with_a_time_of_its_own_ends_by_it(raw_fal):
    raw_fal(drip)
    started = time.monotonic()
    async with raw_client() as http:
        with pytest.raises(ConnectionFailedError, match="no whole response within 1 s"):
            await http.get(BASE, extensions={"total_s": 0.8})
    assert 0.8 <= time.monotonic() - started < 4


@pytest.mark.parametrize("status", [408, 409, 429, 502, 503, 504])
async def test_send_raises_what_fal_client_would_repeat_unless_any_status_is_wanted(
    status, raw_fal
):
    raw_fal(always(response(ACCEPTED, status)))
    async with raw_client() as http:
        with pytest.raises(ServiceError) as caught:
            await http.get(BASE)
        assert caught.value.status_code == status
        answer = await http.get(BASE, extensions={"any_status": True})
    assert (answer.status_code, answer.text) == (status, ACCEPTED)


@pytest.mark.parametrize(
    ("status", "headers"), [(500, []), (404, []), (502, ["x-fal-request-id: r-1"])]
)
async def test_send_returns_what_fal_client_does_not_repeat(status, headers, raw_fal):
    raw_fal(always(response("{}", status, *headers)))
    async with raw_client() as http:
        assert (await http.get(BASE)).status_code == status


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (httpx.ConnectTimeout, "connecting took too long"),
        (httpx.ConnectError, "the connection failed"),
        (httpx.ProxyError, "the proxy refused the connection"),
        (httpx.ReadTimeout, "read timed out"),
        (httpx.WriteTimeout, "write timed out"),
        (httpx.RemoteProtocolError, "the connection was closed"),
        (httpx.ReadError, "the connection broke"),
        (httpx.WriteError, "the connection broke"),
        (httpx.DecodingError, "the response cannot be unpacked"),
        (httpx.UnsupportedProtocol, "network error"),
    ],
)
def test_to_connection_error_tells_why_in_words_of_its_own(kind, words):
    error = to_connection_error("queue.fal.run", kind("Authorization: Key id:secret"))
    assert type(error) is ConnectionFailedError
    assert error.message == f"queue.fal.run did not respond ({words})."
