"""The bytes of media that uploads hold."""

from __future__ import annotations

import asyncio
import gc

import httpx
import pytest

from vidu.errors import ServiceError, UploadError
from vidu.fal import multipart
from vidu.fal.multipart import PARTS_SIDE_BY_SIDE, upload_in_parts
from vidu.fal.uploads import Uploads
from vidu.media.video_file import EncodedVideo


class File(bytes):
    """A file's bytes that note each part that is copied out of them."""

    copied: list[slice]

    def __getitem__(self, part):
        self.copied.append(part)
        return super().__getitem__(part)


async def test_upload_in_parts_copies_a_part_when_its_turn_comes(monkeypatch):
    monkeypatch.setattr(multipart, "PART_BYTES", 10)
    data = File(200)
    data.copied = []
    while_first_are_sent = []

    async def send(method, url, **body):
        if method == "PUT":
            await asyncio.sleep(0.05)
            while_first_are_sent.append(len(data.copied))
        opened = {"access_url": "https://v3.fal.media/a", "uploadId": "an-id"}
        return httpx.Response(200, json=opened, request=httpx.Request(method, url))

    await upload_in_parts(send, "https://v3.fal.media/", data, {}, retry_timeout_s=0)
    assert len(data.copied) == 20
    assert while_first_are_sent[0] <= PARTS_SIDE_BY_SIDE


class Video(EncodedVideo):
    @property
    def data(self):
        return Held(1000)


class Held(bytes):
    """A file's bytes that the garbage collector knows."""


class Down:
    async def post(self, *_, **__):
        raise ServiceError("down", retryable=False)

    async def request(self, *_, **__):
        raise ServiceError("down", retryable=False)


async def test_upload_that_failed_holds_no_bytes_of_the_file():
    uploads = Uploads(Down(), Down(), 1, 0)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(UploadError) as failed:
            await uploads.upload(Video(b"", "0" * 64, 64, 64, 1.0, 1000))
        assert failed.value
        held = [each for each in gc.get_objects() if isinstance(each, Held)]
        assert held == []
    finally:
        gc.enable()
        await uploads.aclose()
