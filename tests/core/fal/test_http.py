"""The client under fal-client against a server that says what it likes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from vidu.credentials import Secret
from vidu.errors import ConnectionFailedError, UnreadableResponseError
from vidu.fal.http import NoRetryClient
from vidu.fal.uploads import Storage
from vidu.media.image import EncodedImage

KEY = Secret("an-id:a-secret")
BROKEN_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"


@asynccontextmanager
async def answering(answer: bytes):
    """The address of a server that gives this one answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_what_can_not_be_unpacked_is_no_answer():
    async with answering(BROKEN_GZIP) as url, NoRetryClient(KEY, 5) as client:
        with pytest.raises(ConnectionFailedError, match="cannot be unpacked"):
            await client.get(url)


@pytest.mark.parametrize("url", [None, "", 7, ["https://x"]])
async def test_storage_without_an_address_has_not_taken_the_image(url):
    class Addressless(Storage):
        def _new_client(self):
            return self

        async def upload(self, *_, **__):
            return url

    with pytest.raises(UnreadableResponseError, match="no address"):
        await Addressless(KEY, 5).put(EncodedImage(b"", "image/png", 1, 1, "0"))
