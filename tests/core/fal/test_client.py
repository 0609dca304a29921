"""`Fal` against a server that writes what it likes, byte by byte."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from vidu.credentials import Secret
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO as ENDPOINT
from vidu.errors import (
    ApiStatusError,
    CertificateError,
    Charge,
    ConnectionFailedError,
    ContentPolicyError,
    GenerationCancelledError,
    GenerationError,
    ResponseTooLargeError,
    ServiceError,
    SubmissionUnknownError,
    UnreadableResponseError,
    UploadError,
)
from vidu.fal.client import Fal
from vidu.media.image import EncodedImage
from vidu.models import RequestHandle
from vidu.provider import CancelReply, Completed, Queued
from vidu.settings import Settings

from ...support.raw_fal import HOSTS, KEY, RawFal, Received, Respond, response, running_raw_fal

BASE = "https://queue.fal.run/fal-ai/vidu/requests/r-1"
HANDLE = RequestHandle("r-1", f"{BASE}/status", BASE, f"{BASE}/cancel")
QUEUED = json.dumps({"status": "IN_QUEUE", "queue_position": 2, "logs": None})
ACCEPTED = json.dumps(
    {
        "request_id": "r-1",
        "status_url": HANDLE.status_url,
        "response_url": HANDLE.response_url,
        "cancel_url": HANDLE.cancel_url,
    }
)
PATIENT = Settings(read_timeout_s=1, retry_timeout_s=20)
IMPATIENT = Settings(read_timeout_s=0.5, retry_timeout_s=0)
IMAGE = EncodedImage(b"pixels", "image/png", 2, 3, "ab" * 32)
OTHER = EncodedImage(b"others", "image/png", 2, 3, "cd" * 32)


@pytest.fixture
def raw_fal(tmp_path, monkeypatch, bare_environment) -> Iterator[Callable[..., RawFal]]:
    """Starts a raw fal, and leads this process to it."""
    with ExitStack() as running:

        def start(respond: Respond, **options: Any) -> RawFal:
            fal = running.enter_context(running_raw_fal(tmp_path, respond, **options))
            for name, value in fal.environment.items():
                monkeypatch.setenv(name, value)
            return fal

        yield start


def always(data: bytes) -> Respond:
    return lambda _, connection: connection.sendall(data)


def in_turn(*answers: bytes | Respond) -> Respond:
    """One answer after the other, the last one forever."""
    left = list(answers)

    def respond(received: Received, connection: socket.socket) -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, bytes):
            return connection.sendall(answer)
        return answer(received, connection)

    return respond


def name_of(answer: object) -> str:
    """The same in each process, as pytest-xdist needs it."""
    return getattr(answer, "__name__", repr(answer)[-40:])


def silent(_: Received, __: socket.socket) -> None:
    time.sleep(9)


def drip(_: Received, connection: socket.socket) -> None:
    """A byte each tenth of a second, forever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.1)


def endless(status: int, *headers: str) -> Respond:
    def respond(_: Received, connection: socket.socket) -> None:
        connection.sendall(response(b"", status, *headers, length=None))
        while True:
            connection.sendall(bytes(1_000_000))

    respond.__name__ = f"endless {status}"
    return respond


def inflating(_: Received, connection: socket.socket) -> None:
    """Gzip of zeros, forever."""
    connection.sendall(response(b"", 500, "Content-Encoding: gzip", length=None))
    squeeze = zlib.compressobj(wbits=31)
    zeros = bytes(1_000_000)
    while True:
        connection.sendall(squeeze.compress(zeros))


def client(settings: Settings = IMPATIENT) -> Fal:
    return Fal(Secret(KEY), settings)


# -- every call ends, and reads no more than a megabyte ------------------------------------------


CALLS = {
    "status": lambda fal: fal.status(HANDLE),
    "result": lambda fal: fal.result(HANDLE, Completed(failed=False), may_have_run=True),
    "find_output": lambda fal: fal.find_output("fal-ai/vidu", HANDLE),
    "find_lost_request": lambda fal: fal.find_lost_request("fal-ai/vidu", {}, None, is_known=never),
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


# -- the paid POST -------------------------------------------------------------------------------


async def test_submit_after_other_calls_uses_a_connection_of_its_own(raw_fal):
    def respond(received: Received, connection: socket.socket) -> bool:
        connection.sendall(response(ACCEPTED if received.method == "POST" else QUEUED, 200))
        return True

    fal_server = raw_fal(respond)
    async with client() as fal:
        await fal.status(HANDLE)
        await fal.submit(ENDPOINT, {"prompt": "x"})
        await fal.status(HANDLE)
        await fal.submit(ENDPOINT, {"prompt": "x"})
    first, post, second, other = (each.connection for each in fal_server.received)
    assert first == second
    assert len({first, post, other}) == 3


@pytest.mark.parametrize(
    "answer",
    [
        drip,
        endless(200),
        endless(500),
        b"",
        response("nginx", 502),
        response("nginx", 504),
        response("no", 500),
        response("half", 200, length=400),
        response("no JSON", 200),
        response("{}", 200),
        response("Conflict", 409),
        response("Request Timeout", 408),
        response("Client Closed Request", 499),
        *(response("", code, "Location: /elsewhere") for code in (300, 301, 302, 303)),
        response("", 304),
    ],
    ids=name_of,
)
async def test_submit_unclear_response_is_unknown_and_sent_once(answer, raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.http.CONNECT_TIMEOUT_S", 0.5)
    fal_server = raw_fal(answer if callable(answer) else always(answer))
    async with client(PATIENT) as fal:
        with pytest.raises(SubmissionUnknownError):
            await fal.submit(ENDPOINT, {"prompt": "x"})
    assert [each.method for each in fal_server.received] == ["POST"]


@pytest.mark.parametrize("code", [307, 308, 400, 404, 422, 425])
async def test_submit_refused_is_not_accepted_and_sent_once(code, raw_fal):
    fal_server = raw_fal(always(response("", code, "Location: /elsewhere")))
    async with client(PATIENT) as fal:
        with pytest.raises(ApiStatusError) as caught:
            await fal.submit(ENDPOINT, {"prompt": "x"})
    assert caught.value.status_code == code
    assert [each.method for each in fal_server.received] == ["POST"]


async def test_submit_before_sending_is_awaited_before_the_first_byte(raw_fal):
    fal_server = raw_fal(always(response(ACCEPTED)))
    seen = []

    async def before_sending() -> None:
        seen.append(len(fal_server.received))
        await asyncio.sleep(0.05)
        seen.append(len(fal_server.received))

    async with client() as fal:
        await fal.submit(ENDPOINT, {"prompt": "x"}, before_sending=before_sending)
    assert seen == [0, 0]
    assert len(fal_server.received) == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), ServiceError("Not now.")], ids=repr)
async def test_submit_before_sending_raising_sends_nothing(error, raw_fal):
    fal_server = raw_fal(always(response(ACCEPTED)))

    async def before_sending() -> None:
        raise error

    async with client() as fal:
        with pytest.raises(type(error)) as caught:
            await fal.submit(ENDPOINT, {"prompt": "x"}, before_sending=before_sending)
        assert caught.value is error
    await asyncio.sleep(0.05)
    assert fal_server.received == []


async def test_handle_by_id_ignores_fal_queue_run_host(raw_fal, tmp_path):
    strange = json.dumps({"request_id": "r-1", "status_url": "https://queue.example.com/s"})
    fal_server = raw_fal(always(response(strange)))
    script = (
        "import asyncio\n"
        "from vidu.credentials import Secret\n"
        "from vidu.fal.client import Fal\n"
        "from vidu.endpoints import VIDU_IMAGE_TO_VIDEO as ENDPOINT\n"
        "async def main():\n"
        f"    async with Fal(Secret({KEY!r})) as fal:\n"
        "        print((await fal.submit(ENDPOINT, {})).status_url)\n"
        "asyncio.run(main())\n"
    )
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script],
        env={**os.environ, "FAL_QUEUE_RUN_HOST": "gateway.example", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == HANDLE.status_url
    assert {each.host for each in fal_server.received} == {"queue.fal.run"}


# -- cancel --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (response('{"status": "OK"}', 200), CancelReply.REMOVED),
        (response('{"status": "CANCELLATION_REQUESTED"}', 202), CancelReply.REQUESTED),
        (response('{"success": true}', 200), CancelReply.REQUESTED),
        (response("", 204), CancelReply.REQUESTED),
        (response('{"status": "ALREADY_COMPLETED"}', 400), CancelReply.COMPLETED),
        (response('{"status": "NOT_FOUND"}', 404), CancelReply.NOT_FOUND),
    ],
)
async def test_cancel_tells_what_fal_answered(answer, reply, raw_fal):
    fal_server = raw_fal(always(answer))
    async with client() as fal:
        assert await asyncio.to_thread(fal.cancel, HANDLE) is reply
    assert [(each.method, each.target) for each in fal_server.received] == [
        ("PUT", "/fal-ai/vidu/requests/r-1/cancel")
    ]
    assert fal_server.received[0].headers["authorization"] == f"Key {KEY}"


@pytest.mark.parametrize(
    "trouble",
    [
        response("nginx", 502),
        response("nginx", 503),
        response("no", 500),
        response("Too many", 429),
        b"",
        silent,
    ],
    ids=name_of,
)
async def test_cancel_one_failure_is_tried_again_within_five_seconds(trouble, raw_fal):
    ok = response('{"status": "CANCELLATION_REQUESTED"}', 202)
    fal_server = raw_fal(in_turn(trouble, ok))
    started = time.monotonic()
    async with client() as fal:
        assert await asyncio.to_thread(fal.cancel, HANDLE) is CancelReply.REQUESTED
    assert time.monotonic() - started < 5
    assert len(fal_server.received) == 2


async def test_cancel_slow_answer_is_waited_for_beside_a_second_request(raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.cancel.SECOND_AFTER_S", 0.5)

    def respond(_: Received, connection: socket.socket) -> None:
        time.sleep(1.5)
        connection.sendall(response('{"status": "OK"}'))

    fal_server = raw_fal(respond)
    async with client() as fal:
        assert await asyncio.to_thread(fal.cancel, HANDLE) is CancelReply.REMOVED
    assert len(fal_server.received) >= 2


@pytest.mark.parametrize(
    "trouble", [response("nginx", 502), silent, drip, endless(500)], ids=name_of
)
async def test_cancel_lasting_failure_raises_within_five_seconds(trouble, raw_fal):
    raw_fal(always(trouble) if isinstance(trouble, bytes) else trouble)
    started = time.monotonic()
    async with client() as fal:
        with pytest.raises(ServiceError):
            await asyncio.to_thread(fal.cancel, HANDLE)
    assert time.monotonic() - started < 5.5


# -- the money of a cancelled request ------------------------------------------------------------


@pytest.mark.parametrize(
    ("inference_time_s", "may_have_run", "units", "charge"),
    [
        (None, False, None, Charge.NOT_SPENT),
        (None, True, None, Charge.MAYBE_SPENT),
        (None, False, "0", Charge.NOT_SPENT),
        (None, False, "4", Charge.CHARGED),
        (3.2, False, None, Charge.MAYBE_SPENT),
        (3.2, True, "0", Charge.NOT_SPENT),
        (3.2, True, "1", Charge.CHARGED),
    ],
)
async def test_result_of_cancelled_request_tells_what_was_charged(
    inference_time_s, may_have_run, units, charge, raw_fal
):
    headers = [] if units is None else [f"x-fal-billable-units: {units}"]
    raw_fal(always(response('{"detail": "Request cancelled by the client."}', 499, *headers)))
    async with client() as fal:
        with pytest.raises(GenerationCancelledError) as caught:
            completed = Completed(failed=True, inference_time_s=inference_time_s)
            await fal.result(HANDLE, completed, may_have_run=may_have_run)
    assert caught.value.charge is charge


@pytest.mark.parametrize(
    ("units", "charge"),
    [(None, Charge.MAYBE_SPENT), ("0", Charge.NOT_SPENT), ("4", Charge.CHARGED)],
)
async def test_result_refused_by_the_model_shows_that_it_ran(units, charge, raw_fal):
    headers = [] if units is None else [f"x-fal-billable-units: {units}"]
    detail = [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]
    raw_fal(always(response(json.dumps({"detail": detail}), 422, *headers)))
    async with client() as fal:
        with pytest.raises(ContentPolicyError) as caught:
            await fal.result(HANDLE, Completed(failed=True), may_have_run=False)
    assert caught.value.charge is charge


@pytest.mark.parametrize(
    ("metrics", "seconds"),
    [({"inference_time": 3.5}, 3.5), ({"inference_time": 0}, None), ({}, None), (None, None)],
)
async def test_status_completed_tells_how_long_it_ran(metrics, seconds, raw_fal):
    body = {"status": "COMPLETED", "logs": None, "metrics": metrics, "error": "Cancelled"}
    raw_fal(always(response(json.dumps(body))))
    async with client() as fal:
        assert await fal.status(HANDLE) == Completed(failed=True, inference_time_s=seconds)


async def test_result_without_words_of_a_failed_request_is_its_end(raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.client.FAILED_RESULT_TIMEOUT_S", 0.1)
    raw_fal(always(response("Internal Server Error", 500)))
    async with client() as fal:
        with pytest.raises(GenerationError) as caught:
            await fal.result(HANDLE, Completed(failed=True), may_have_run=True)
    assert (caught.value.charge, caught.value.status_code) == (Charge.NOT_SPENT, 500)


# -- fal's own time ------------------------------------------------------------------------------


async def test_server_time_is_fals_whatever_this_machine_says(raw_fal):
    date = f"Date: {formatdate(1_000_000_000, usegmt=True)}"
    fal_server = raw_fal(always(response('{"status": "NOT_FOUND"}', 404, date)))
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


# -- uploads -------------------------------------------------------------------------------------


def storage(received: Received, connection: socket.socket) -> None:
    if "/storage/auth/token" in received.target:
        return connection.sendall(response('{"token": "t", "token_type": "Bearer"}'))
    time.sleep(0.2)
    url = f"https://v3b.fal.media/files/b/{received.body.decode()}.png"
    return connection.sendall(response(json.dumps({"access_url": url})))


def uploads_of(fal: RawFal) -> list[Received]:
    return [each for each in fal.received if each.target == "/files/upload"]


async def test_upload_same_content_is_sent_once(raw_fal):
    fal_server = raw_fal(storage)
    async with client(PATIENT) as fal:
        together = await asyncio.gather(fal.upload(IMAGE), fal.upload(IMAGE), fal.upload(OTHER))
        again = await fal.upload(IMAGE)
    assert together[0] == together[1] == again != together[2]
    assert sorted(each.body for each in uploads_of(fal_server)) == [b"others", b"pixels"]
    assert [each.target for each in fal_server.received if "token" in each.target] == [
        "/storage/auth/token?storage_type=fal-cdn-v3"
    ]


async def test_upload_hours_later_is_sent_again(raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.uploads.LONGEST_REUSE_S", 0.0)
    fal_server = raw_fal(storage)
    async with client(PATIENT) as fal:
        await fal.upload(IMAGE)
        await fal.upload(IMAGE)
    assert len(uploads_of(fal_server)) == 2


async def test_upload_many_run_side_by_side_and_bounded(raw_fal):
    running, most = [], []

    def respond(received: Received, connection: socket.socket) -> None:
        running.append(received)
        most.append(len(running))
        with suppress(OSError):
            storage(received, connection)
        running.remove(received)

    raw_fal(respond)
    images = [EncodedImage(b"%d" % i, "image/png", 1, 1, f"{i:064}") for i in range(12)]
    started = time.monotonic()
    async with client(PATIENT) as fal:
        urls = await asyncio.gather(*(fal.upload(image) for image in images))
    assert len(set(urls)) == 12
    assert 2 <= max(most) <= 4
    assert time.monotonic() - started < 12 * 0.2


async def test_upload_one_of_two_waiting_cancelled_still_serves_the_other(raw_fal):
    raw_fal(storage)
    async with client(PATIENT) as fal:
        first = asyncio.create_task(fal.upload(IMAGE))
        second = asyncio.create_task(fal.upload(IMAGE))
        await asyncio.sleep(0.05)
        first.cancel()
        assert (await second).endswith("pixels.png")
    assert first.cancelled()


async def test_upload_that_failed_is_sent_again_next_time(raw_fal):
    token = response('{"token": "t", "token_type": "Bearer"}')
    url = response('{"access_url": "https://v3b.fal.media/files/b/x.png"}')
    raw_fal(in_turn(token, response("Bad Request", 400), url))
    async with client() as fal:
        with pytest.raises(UploadError, match=r"image could not be uploaded.*400") as caught:
            await fal.upload(IMAGE)
        assert caught.value.status_code == 400
        assert await fal.upload(IMAGE) == "https://v3b.fal.media/files/b/x.png"


async def test_upload_expired_token_is_replaced(raw_fal):
    token = response('{"token": "t", "token_type": "Bearer"}')
    url = response('{"access_url": "https://v3b.fal.media/files/b/x.png"}')
    fal_server = raw_fal(in_turn(token, response("{}", 401), token, url))
    async with client(PATIENT) as fal:
        await fal.upload(IMAGE)
    assert len(fal_server.received) == 4


async def test_upload_sends_the_key_to_the_token_alone(raw_fal):
    fal_server = raw_fal(storage)
    async with client(PATIENT) as fal:
        await fal.upload(IMAGE)
    token, upload = fal_server.received
    assert (token.host, token.headers["authorization"]) == ("rest.fal.ai", f"Key {KEY}")
    assert (upload.host, upload.headers["authorization"]) == ("v3.fal.media", "Bearer t")
    assert upload.headers["content-type"] == "image/png"
    assert upload.headers["x-fal-file-name"] == "image.png"


@pytest.mark.parametrize("body", ["{}", '{"access_url": 7}', '{"access_url": ""}', "[]", "no"])
async def test_upload_without_an_address_has_not_arrived(body, raw_fal):
    raw_fal(in_turn(response('{"token": "t"}'), response(body)))
    async with client() as fal:
        with pytest.raises(UploadError, match="no address"):
            await fal.upload(IMAGE)


@pytest.mark.parametrize("body", ["{}", '{"token": 7}', '{"token": "a\\nb"}', "no"])
async def test_upload_without_a_token_has_not_arrived(body, raw_fal):
    raw_fal(always(response(body)))
    async with client() as fal:
        with pytest.raises(UploadError, match="no token"):
            await fal.upload(IMAGE)


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
