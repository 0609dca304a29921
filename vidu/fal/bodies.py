"""Response bodies, unpacked piece by piece and never beyond a limit.

httpx unpacks each chunk whole: 64 kB of gzip become 66 MB, and an endless body is read forever.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

PIECE_BYTES = 65_536
MAX_BODY_BYTES = 1_000_000
"""The longest answer of fal's that is read; only a clip or a still is longer."""


class BodyTooLargeError(Exception):
    """A body is longer than anything fal answers."""


async def read_body(response: httpx.Response, limit: int = MAX_BODY_BYTES) -> httpx.Response:
    """Read a streamed response and return it as a whole one.

    Args:
        response: A response whose body has not been read.
        limit: Most bytes, unpacked.

    Raises:
        BodyTooLargeError: It is longer.
        httpx.RequestError: The body did not come whole, or cannot be unpacked.
    """
    body = bytearray()
    async for piece in iter_body(response):
        body += piece
        if len(body) > limit:
            raise BodyTooLargeError
    headers = httpx.Headers(
        [
            (name, value)
            for name, value in response.headers.raw
            if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")
        ]
    )
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=bytes(body),
        request=response.request,
        extensions=response.extensions,
    )


async def iter_body(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the body of a streamed response, unpacked, in pieces of at most `PIECE_BYTES`.

    Raises:
        httpx.RequestError: The body did not come whole, or cannot be unpacked.
    """
    encoding = content_encoding(response)
    if not encoding:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if encoding not in ("gzip", "deflate"):
        raise httpx.DecodingError(f"unknown encoding {encoding}", request=response.request)
    unpacker = Unpacker()
    try:
        async for chunk in response.aiter_raw():
            for piece in unpacker.unpack(chunk):
                yield piece
    except zlib.error as error:
        raise httpx.DecodingError(str(error), request=response.request) from error
    if not unpacker.is_complete:
        raise httpx.RemoteProtocolError("the packed body ended early", request=response.request)


def content_encoding(response: httpx.Response) -> str:
    """Return how the body is packed: "gzip", "deflate", "" for not at all, else fal's own word."""
    value = str(response.headers.get("content-encoding", "")).strip().lower()
    return {"x-gzip": "gzip", "identity": ""}.get(value, value)


class Unpacker:
    """Unpacks gzip (also several members) and zlib or raw deflate."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._began = False

    @property
    def is_complete(self) -> bool:
        """Whether the packed stream reached its end, or never began."""
        return self._inflate.eof or not self._began

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to, in pieces of at most `PIECE_BYTES`.

        Raises:
            zlib.error: It is damaged.
        """
        while data:
            if self._inflate.eof:  # another member follows
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
            piece = self._first(data) if not self._began else self._more(data)
            self._began = True
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            if piece:
                yield piece
            while len(piece) == PIECE_BYTES and not data and not self._inflate.eof:
                piece = self._more(b"")
                data = self._inflate.unused_data if self._inflate.eof else b""
                if piece:
                    yield piece

    def _first(self, data: bytes) -> bytes:
        try:
            return self._more(data)
        except zlib.error:
            # "deflate" is meant to be zlib's format; some servers send it raw.
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._more(data)

    def _more(self, data: bytes) -> bytes:
        return self._inflate.decompress(data, PIECE_BYTES)
