"""The paid POST of `Fal`: sent once, on a connection of its own."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO as ENDPOINT
from vidu.errors import (
    ApiStatusError,
    ConnectionFailedError,
    RateLimitedError,
    ServiceError,
    SubmissionUnknownError,
)
from vidu.settings import Settings

from ...support.raw_fal import KEY, Received, response
from ...support.raw_responses import (
    ACCEPTED,
    HANDLE,
    PATIENT,
    QUEUED,
    always,
    client,
    drip,
    endless,
    name_of,
)


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


async def test_submit_sends_body_key_and_queue_limit(raw_fal):
    fal_server = raw_fal(always(response(ACCEPTED)))
    async with client(Settings(queue_limit_s=61.5)) as fal:
        await fal.submit(ENDPOINT, {"prompt": "x", "seed": 7})
    (post,) = fal_server.received
    assert (post.host, post.target) == ("queue.fal.run", f"/{ENDPOINT.id}")
    assert json.loads(post.body) == {"prompt": "x", "seed": 7}
    assert post.headers["authorization"] == f"Key {KEY}"
    assert post.headers["accept-encoding"] == "identity"
    assert float(post.headers["x-fal-request-timeout"]) == 61.5


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("response_url", f"{HANDLE.response_url}/response"),
        ("status_url", HANDLE.status_url.replace("queue.fal.run", "queue.falrun.com")),
    ],
)
async def test_submit_addresses_of_fals_own_are_kept(name, url, raw_fal):
    raw_fal(always(response(json.dumps(json.loads(ACCEPTED) | {name: url}))))
    async with client() as fal:
        assert await fal.submit(ENDPOINT, {"prompt": "x"}) == replace(HANDLE, **{name: url})


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
        *(response("", code, "Location: /elsewhere") for code in (300, 301, 302, 303, 399)),
        response("", 304),
        *(response(ACCEPTED, code, "Location: /elsewhere") for code in (307, 400, 404, 422, 429)),
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


@pytest.mark.parametrize("name", ["status_url", "response_url", "cancel_url"])
async def test_submit_addresses_of_another_request_are_not_followed(name, raw_fal):
    other = "https://queue.fal.run/fal-ai/vidu/requests/r-0"
    raw_fal(always(response(json.dumps(json.loads(ACCEPTED) | {name: other}))))
    async with client() as fal:
        assert await fal.submit(ENDPOINT, {"prompt": "x"}) == HANDLE


@pytest.mark.parametrize("name", ["status_url", "response_url", "cancel_url"])
async def test_submit_addresses_with_the_sub_path_are_not_followed(name, raw_fal):
    sub_path = getattr(HANDLE, name).replace("fal-ai/vidu", ENDPOINT.id)
    raw_fal(always(response(json.dumps(json.loads(ACCEPTED) | {name: sub_path}))))
    async with client() as fal:
        assert await fal.submit(ENDPOINT, {"prompt": "x"}) == HANDLE


@pytest.mark.parametrize("code", [307, 308, 400, 404, 422, 425, 429])
async def test_submit_refused_is_not_accepted_and_sent_once(code, raw_fal):
    fal_server = raw_fal(always(response("", code, "Location: /elsewhere")))
    async with client(PATIENT) as fal:
        with pytest.raises(ServiceError) as caught:
            await fal.submit(ENDPOINT, {"prompt": "x"})
    assert type(caught.value) is (RateLimitedError if code == 429 else ApiStatusError)
    assert caught.value.status_code == code
    assert [each.method for each in fal_server.received] == ["POST"]


async def test_submit_refusal_that_names_an_id_alone_is_not_accepted(raw_fal):
    raw_fal(always(response('{"request_id": "r-1", "detail": "No."}', 422)))
    async with client() as fal:
        with pytest.raises(ApiStatusError, match="No"):
            await fal.submit(ENDPOINT, {"prompt": "x"})


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


async def test_submit_cancelled_before_the_first_byte_was_not_sent(raw_fal):
    fal_server = raw_fal(always(response(ACCEPTED)))
    connected = asyncio.Event()

    async def before_sending() -> None:
        connected.set()
        await asyncio.sleep(60)

    async with client(PATIENT) as fal:
        task = asyncio.create_task(fal.submit(ENDPOINT, {}, before_sending=before_sending))
        await connected.wait()
        task.cancel()
        with pytest.raises(ConnectionFailedError, match="stopped before it was sent"):
            await task
    assert fal_server.received == []


async def test_submit_cancelled_after_the_first_byte_is_no_failure(raw_fal):
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stay_silent(*_: object) -> None:
        loop.call_soon_threadsafe(arrived.set)
        time.sleep(5)

    raw_fal(stay_silent)
    async with client(Settings(read_timeout_s=60)) as fal:
        task = asyncio.create_task(fal.submit(ENDPOINT, {}))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


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
