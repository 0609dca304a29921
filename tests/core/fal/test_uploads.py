"""Uploads to fal's storage: once for each content, side by side, bounded."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import suppress

import pytest

from vidu.errors import (
    UploadError,
)
from vidu.media.image import EncodedImage

from ...support.raw_fal import KEY, RawFal, Received, response
from ...support.raw_responses import IMAGE, IMPATIENT, PATIENT, always, client, in_turn

OTHER = EncodedImage(b"others", "image/png", 2, 3, "cd" * 32)


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


@pytest.mark.parametrize(
    "address",
    [
        "http://v3b.fal.media/x.png",
        "//v3b.fal.media/x.png",
        "/files/x.png",
        "data:image/png;base64,AAAA",
        "https://",
        "https://v3b.fal.media/a b.png",
    ],
)
async def test_upload_address_that_fal_cannot_fetch_is_refused(address, raw_fal):
    token = response('{"token": "t", "token_type": "Bearer"}')
    raw_fal(in_turn(token, response(json.dumps({"access_url": address}))))
    async with client(IMPATIENT) as fal:
        with pytest.raises(UploadError):
            await fal.upload(IMAGE)


async def test_upload_that_gets_the_address_of_another_is_refused(raw_fal):
    token = response('{"token": "t", "token_type": "Bearer"}')
    raw_fal(in_turn(token, response('{"access_url": "https://v3b.fal.media/files/b/x.png"}')))
    async with client(IMPATIENT) as fal:
        await fal.upload(IMAGE)
        with pytest.raises(UploadError, match="address of another upload"):
            await fal.upload(OTHER)


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
