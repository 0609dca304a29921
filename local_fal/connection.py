"""Faulty connections: they hang, drop, drip, or their body never ends."""

from __future__ import annotations

import asyncio
import zlib
from typing import NoReturn

from aiohttp import web

DRIP_S = 0.3
CHUNK = b"fal is unwell. " * 4096
MOST_CHUNKS = 8192
"""Half a gigabyte: a client that reads without a limit is shown, and the machine survives it."""


async def hang() -> NoReturn:
    """Never answer; the server ends this when the client leaves."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def drop(request: web.BaseRequest) -> NoReturn:
    """Close the connection without another byte."""
    if request.transport:
        request.transport.abort()
    await hang()


async def drip(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Send a finished response one byte at a time: no read takes long, and all take minutes."""
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    slow = web.StreamResponse(status=response.status, headers=response.headers)
    slow.content_length = len(response.body)
    await slow.prepare(request)
    for position in range(len(response.body)):
        await slow.write(response.body[position : position + 1])
        await asyncio.sleep(DRIP_S)
    return slow


async def send_endless_error(request: web.BaseRequest, *, compressed: bool) -> web.StreamResponse:
    """Send a 500 whose body goes on and on, or one that is small until it is decompressed."""
    response = web.StreamResponse(status=500, headers={"Content-Type": "text/plain"})
    if compressed:
        response.headers["Content-Encoding"] = "gzip"
    await response.prepare(request)
    compressor = zlib.compressobj(wbits=31)
    for _ in range(MOST_CHUNKS):
        data = compressor.compress(CHUNK) if compressed else CHUNK
        if data:
            await response.write(data)
        await asyncio.sleep(0)
    await drop(request)
