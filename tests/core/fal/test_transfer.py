"""`download` against a CDN that writes what it likes, byte by byte."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from vidu.errors import CertificateError, ClipGoneError, DownloadError
from vidu.fal.certificates import create_tls_context
from vidu.fal.download import download
from vidu.fal.http import create_cdn_client
from vidu.provider import Length
from vidu.settings import Settings

from ...support.raw_fal import RawFal, Received, Respond, response, running_raw_fal

URL = "https://v3b.fal.media/files/b/1.mp4"
FILE = bytes(range(256)) * 1000
QUICK = Settings(read_timeout_s=0.5, retry_timeout_s=20, clip_limit_mb=4)
ETAG = 'ETag: "one"'
CONFIRMED, ENDED, DOUBTFUL = Length.CONFIRMED, Length.ENDED, Length.DOUBTFUL


@pytest.fixture
def fetch(tmp_path, monkeypatch, bare_environment) -> Iterator[Callable[..., Any]]:
    """Downloads from a raw CDN; returns what is known of the length, the bytes and the CDN."""
    with ExitStack() as running:

        async def fetch(
            respond: Respond, size: int | None = None, settings: Settings = QUICK
        ) -> tuple[Length, bytes, RawFal]:
            cdn = running.enter_context(running_raw_fal(tmp_path, respond))
            for name, value in cdn.environment.items():
                monkeypatch.setenv(name, value)
            part = tmp_path / "part"
            async with create_cdn_client(create_tls_context(), settings.read_timeout_s) as http:
                done = await download(http, URL, part, size, settings, lambda _: None)
            return done, part.read_bytes(), cdn

        yield fetch


def always(data: bytes) -> Respond:
    return lambda _, connection: connection.sendall(data)


def in_turn(*answers: bytes) -> Respond:
    left = list(answers)
    return lambda _, connection: connection.sendall(left.pop(0) if len(left) > 1 else left[0])


def range_of(received: Received) -> int:
    return int(re.findall(r"\d+", received.headers.get("range", "bytes=0-"))[0])


# -- what is whole is handed on ------------------------------------------------------------------


@pytest.mark.parametrize("size", [len(FILE), None])
async def test_download_whole_file_is_confirmed(size, fetch):
    assert (await fetch(always(response(FILE)), size))[:2] == (CONFIRMED, FILE)


@pytest.mark.parametrize("size", [len(FILE) - 1, len(FILE) + 1, 1, 10 * len(FILE)])
async def test_download_file_size_that_is_off_is_handed_on_unconfirmed(size, fetch):
    done, data, cdn = await fetch(always(response(FILE)), min(size, 3_999_999))
    assert (done, data, len(cdn.received)) == (ENDED if size <= len(FILE) else DOUBTFUL, FILE, 1)


async def test_download_without_any_length_is_unconfirmed(fetch):
    assert (await fetch(always(response(FILE, length=None))))[:2] == (DOUBTFUL, FILE)


async def test_download_without_any_length_but_fals_is_confirmed(fetch):
    unsized, cut = (response(data, length=None) for data in (FILE, FILE[:500]))
    assert (await fetch(always(unsized), len(FILE)))[0] is CONFIRMED
    assert (await fetch(always(cut), len(FILE)))[0] is DOUBTFUL


@pytest.mark.parametrize(
    ("told", "length"),
    [
        (None, ENDED),
        (len(FILE), CONFIRMED),
        (len(FILE) - 1, ENDED),
        (len(FILE) + 1, DOUBTFUL),
    ],
)
async def test_download_chunked_file_is_confirmed_only_by_fals_size(told, length, fetch):
    """A proxy that lost its origin in the middle of a file may send a last chunk all the same."""
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(FILE), FILE)
    answer = response(chunked, 200, "Transfer-Encoding: chunked", length=None)
    assert (await fetch(always(answer), told))[:2] == (length, FILE)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("size", [len(FILE), None])
async def test_download_packed_file_is_unpacked(members, size, fetch):
    step = len(FILE) // members + 1
    packed = b"".join(gzip.compress(FILE[at : at + step]) for at in range(0, len(FILE), step))
    answer = response(packed, 200, "Content-Encoding: gzip", ETAG)
    assert (await fetch(always(answer), size))[:2] == (CONFIRMED, FILE)


async def test_download_packed_file_that_breaks_off_is_begun_again(fetch):
    packed = gzip.compress(FILE)
    cut = response(packed[:99], 200, "Content-Encoding: gzip", ETAG, length=len(packed))
    ended = response(packed[:99], 200, "Content-Encoding: gzip", ETAG)
    whole = response(packed, 200, "Content-Encoding: gzip", ETAG)
    done, data, cdn = await fetch(in_turn(cut, ended, whole), len(FILE))
    assert (done, data) == (CONFIRMED, FILE)
    assert [each.headers.get("range") for each in cdn.received] == [None] * 3


async def test_download_size_that_changes_between_attempts_is_handed_on(fetch):
    """The file is rewritten at the CDN while it is downloaded."""
    longer = FILE + b"more"
    first = response(FILE[:5000], 200, ETAG, length=len(FILE))
    done, data, _ = await fetch(in_turn(first, response(longer, 200, 'ETag: "two"')), len(FILE))
    assert (done, data) == (ENDED, longer)


async def test_download_part_of_another_file_is_not_appended(fetch):
    first = response(FILE[:5000], 200, ETAG, length=len(FILE))
    other = bytes(len(FILE) + 4)
    elsewhere = f"Content-Range: bytes 4000-{len(other) - 1}/{len(other)}"
    answers = (first, response(other[4000:], 206, elsewhere, ETAG), response(FILE, 200, ETAG))
    assert (await fetch(in_turn(*answers), len(FILE)))[:2] == (CONFIRMED, FILE)


async def test_download_break_is_resumed_where_it_broke(fetch):
    def respond(received: Received, connection: socket.socket) -> None:
        at = range_of(received)
        head = (f"Content-Range: bytes {at}-{len(FILE) - 1}/{len(FILE)}", ETAG)
        rest = FILE[at : at + 60_000]
        connection.sendall(response(rest, 206 if at else 200, *head, length=len(FILE) - at))

    settings = Settings(read_timeout_s=0.5, retry_timeout_s=60)
    done, data, cdn = await fetch(respond, len(FILE), settings)
    assert (done, data) == (CONFIRMED, FILE)
    assert [range_of(each) for each in cdn.received] == [0, 60_000, 120_000, 180_000, 240_000]


# -- what has no end, ends -----------------------------------------------------------------------


async def test_download_that_drips_is_given_up(fetch):
    def drip(_: Received, connection: socket.socket) -> None:
        connection.sendall(response(b"", length=100_000))
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)

    started = time.monotonic()
    with pytest.raises(DownloadError, match="came to a crawl"):
        await fetch(drip, settings=Settings(read_timeout_s=0.3, retry_timeout_s=0))
    assert time.monotonic() - started < 5


EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
"""Of deflate: it is stored, not the last one, and holds nothing."""


@pytest.mark.parametrize(
    ("header", "start", "more"),
    [
        ("Content-Encoding: deflate", b"\x78\x9c", EMPTY_BLOCK),
        ("Transfer-Encoding: chunked", b"1", b"0"),
    ],
    ids=["empty blocks", "a chunk without a length"],
)
async def test_download_of_bytes_that_are_no_piece_is_given_up(header, start, more, fetch):
    def drip(_: Received, connection: socket.socket) -> None:
        connection.sendall(response(start, 200, header, length=None))
        while True:
            connection.sendall(more)
            time.sleep(0.1)

    with pytest.raises(DownloadError, match="has no end"):
        await asyncio.wait_for(
            fetch(drip, settings=Settings(read_timeout_s=0.3, retry_timeout_s=0)), 20
        )


@pytest.mark.parametrize("status", [404, 403, 500, 301])
async def test_download_error_page_without_end_is_not_read(status, fetch):
    def endless(_: Received, connection: socket.socket) -> None:
        connection.sendall(response(b"", status, length=None))
        while True:
            connection.sendall(bytes(100_000))

    tracemalloc.start()
    with pytest.raises((DownloadError, ClipGoneError)):
        await fetch(endless, settings=Settings(read_timeout_s=0.5, retry_timeout_s=0))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("status", [201, 202, 204, 226])
async def test_download_answer_that_is_no_file_raises_download_error(status, fetch):
    with pytest.raises(DownloadError, match=str(status)):
        await fetch(always(response(b"", status)))


async def test_download_headers_without_end_are_not_read(fetch):
    def drip(_: Received, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)

    quick = replace(QUICK, retry_timeout_s=0)
    started = time.monotonic()
    with pytest.raises(DownloadError, match="no end"):
        await fetch(drip, settings=quick)
    assert time.monotonic() - started < 5


async def test_download_packed_file_without_end_meets_the_limit(fetch, tmp_path):
    def inflating(_: Received, connection: socket.socket) -> None:
        squeeze = zlib.compressobj(wbits=31)
        connection.sendall(response(b"", 200, "Content-Encoding: gzip", length=None))
        while True:
            connection.sendall(squeeze.compress(bytes(1_000_000)))

    with pytest.raises(DownloadError, match="larger than 4 MB"):
        await fetch(inflating)
    assert (tmp_path / "part").stat().st_size <= 4_000_000


async def test_download_damaged_packed_file_is_retried_and_given_up(fetch):
    broken = response(b"no gzip at all", 200, "Content-Encoding: gzip")
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        await fetch(always(broken), settings=Settings(retry_timeout_s=1.5))


async def test_download_untrusted_certificate_is_named_at_once(fetch, monkeypatch):
    started = time.monotonic()
    real = create_tls_context()
    monkeypatch.setitem(globals(), "create_tls_context", lambda: real)
    with pytest.raises(
        DownloadError, match=r"certificate of v3b.fal.media is not trusted"
    ) as caught:
        await fetch(always(response(FILE)), settings=Settings(retry_timeout_s=300))
    assert isinstance(caught.value.__cause__, CertificateError)
    assert time.monotonic() - started < 5
