"""The download of a clip: a URL into a file on disk.

The address comes from outside, so it is checked before each hop: https, no private host. What the
file is and whether it is whole is not judged here: that each frame decodes is the check's to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import httpx

from ..errors import (
    ClipGoneError,
    ConnectionFailedError,
    DownloadError,
    SaveError,
    ServiceError,
    UnsafeUrlError,
    ViduError,
)
from ..progress import ProgressCallback, downloading
from ..provider import Length
from ..retry import is_retryable, retry
from ..settings import Settings
from .bodies import BodyTooLargeError, content_encoding, iter_body, read_body
from .http import to_connection_error
from .responses import error_from_response
from .safe_url import check_peer, check_url

MAX_ATTEMPTS = 6
MAX_REDIRECTS = 5
REPORT_EVERY_S = 0.25
SLOWEST_BYTES_PER_S = 1000.0
"""Slower for three read timeouts is not a transfer: a byte now and then meets no read timeout."""

PROGRESS_BYTES = 1_000_000
"""What a transfer that breaks off has to have brought for its attempts to start over."""

GONE_STATUSES = frozenset({404, 410})
LATE_STATUSES = GONE_STATUSES | {403}
"""What a CDN may answer for a file that has not reached all of its servers yet."""


async def download(
    http: httpx.AsyncClient,
    url: str,
    part: Path,
    size: int | None,
    settings: Settings,
    on_progress: ProgressCallback,
) -> Length:
    """Download `url` to the file `part`.

    A transfer that breaks is resumed where it broke, when the server can; else begun again.

    Args:
        http: A client that carries no key and does not follow redirects.
        url: Where the file is; not trusted.
        part: The file to write, beside its later place; it must not exist.
        size: The size in bytes that fal told, when it did; it may be wrong.
        settings: The largest size, and how long a transfer that fails is tried again.
        on_progress: Told of the bytes as they come.

    Returns:
        What is known of the file's length. Unless it is confirmed, the file may lack its end
        though nothing failed: a proxy that lost its origin may end its chunks in order.

    Raises:
        UnsafeUrlError: The address, or one it redirects to, is not one that is fetched.
        ClipGoneError: The address answers that there is nothing.
        DownloadError: The transfer failed again and again, or is larger than the limit.
        SaveError: The file could not be written.
    """
    on_progress(downloading(0, size))
    transfer = _Transfer(url, part, size, settings, on_progress)
    try:
        return await retry(
            lambda: transfer.attempt(http),
            timeout_s=settings.retry_timeout_s,
            attempts=MAX_ATTEMPTS,
            retry_if=lambda error: is_retryable(error) or error.status_code in LATE_STATUSES,
            progress=lambda: transfer.furthest // PROGRESS_BYTES,
        )
    except ServiceError as error:
        raise _final(error) from error


class _Transfer:
    """One file on its way, over as many attempts as it takes."""

    def __init__(
        self,
        url: str,
        part: Path,
        size: int | None,
        settings: Settings,
        on_progress: ProgressCallback,
    ) -> None:
        self.furthest = 0
        self._url = url
        self._part = part
        self._size = size
        self._limit = int(settings.clip_limit_mb * 1_000_000)
        self._window_s = 3 * settings.read_timeout_s
        self._on_progress = on_progress
        self._etag: str | None = None

    async def attempt(self, http: httpx.AsyncClient) -> Length:
        """Fetch what is missing; return what is known of the length."""
        held = self._part.stat().st_size if self._etag and self._part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if held:
            headers |= {"Range": f"bytes={held}-", "If-Range": self._etag or ""}
        async with _opened(http, self._url, headers, self._window_s) as response:
            if response.status_code == 416:
                self._etag = None
                raise ConnectionFailedError("The transfer cannot be resumed.")
            if response.status_code not in (200, 206):
                raise error_from_response(response)
            resumed = response.status_code == 206 and _starts_at(response, held)
            if response.status_code == 206 and not resumed:
                self._etag = None
                raise ConnectionFailedError("The transfer cannot be resumed.")
            # A packed body is not resumed: its ranges are of the packed bytes.
            self._etag = None if content_encoding(response) else _strong_etag(response)
            return await self._write(response, held if resumed else 0)

    async def _write(self, response: httpx.Response, held: int) -> Length:
        total = _total(response, held)
        self._check_limit(max(total or 0, self._size or 0))
        received, reported_at = held, 0.0
        window_at, window_received = time.monotonic(), held
        with _opened_file(self._part, "ab" if held else "wb") as file:
            async for piece in _in_time(iter_body(response), self._window_s):
                received += len(piece)
                self._check_limit(received)
                file.write(piece)
                self.furthest = max(self.furthest, received)
                now = time.monotonic()
                if now - reported_at > REPORT_EVERY_S:
                    self._on_progress(downloading(received, self._size or total))
                    reported_at = now
                if now - window_at > self._window_s:
                    slowest = SLOWEST_BYTES_PER_S * (now - window_at)
                    if received - window_received < slowest:
                        raise ConnectionFailedError("The transfer came to a crawl.")
                    window_at, window_received = now, received
        if total is not None and received != total:
            raise ConnectionFailedError("The transfer ended early.")
        return _length(response, received, self._size)

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise DownloadError(
                f"The file is larger than {self._limit / 1e6:.0f} MB.",
                "Raise VIDU_CLIP_LIMIT_MB and run the same shot again, free.",
            )


@asynccontextmanager
async def _opened(
    http: httpx.AsyncClient, url: str, headers: dict[str, str], timeout_s: float
) -> AsyncIterator[httpx.Response]:
    for _ in range(MAX_REDIRECTS):
        is_tunnel = await check_url(url)
        try:
            async with _responding(http, url, headers, timeout_s) as response:
                check_peer(response, is_tunnel)
                if not response.has_redirect_location:
                    if response.status_code in (200, 206):
                        yield response
                    else:
                        yield await asyncio.wait_for(read_body(response), timeout_s)
                    return
                url = str(response.url.join(response.headers["location"]))
        except httpx.InvalidURL as error:
            raise UnsafeUrlError("fal's address for the file cannot be read.") from error
        except httpx.RequestError as error:
            raise to_connection_error(httpx.URL(url).host, error) from error
        except (BodyTooLargeError, asyncio.TimeoutError) as error:
            raise ConnectionFailedError("The response has no end.") from error
    raise UnsafeUrlError("fal's address for the file redirects without end.")


@asynccontextmanager
async def _responding(
    http: httpx.AsyncClient, url: str, headers: dict[str, str], timeout_s: float
) -> AsyncIterator[httpx.Response]:
    request = http.build_request("GET", url, headers=headers)
    # Headers that come a byte at a time, or interim responses without end, meet no read timeout.
    response = await asyncio.wait_for(http.send(request, stream=True), timeout_s)
    try:
        yield response
    finally:
        await response.aclose()


async def _in_time(pieces: AsyncIterator[bytes], timeout_s: float) -> AsyncIterator[bytes]:
    # Bytes that unpack to nothing, or drip in front of a chunk, meet no read timeout either.
    # Python 3.10 and 3.11 lose a cancel in wait_for when the piece comes at the same moment.
    while True:
        reading = asyncio.ensure_future(anext(pieces, None))
        try:
            await asyncio.wait({reading}, timeout=timeout_s)
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})
        if reading.cancelled():
            raise ConnectionFailedError("The response has no end.")
        piece = reading.result()
        if piece is None:
            return
        yield piece


@contextmanager
def _opened_file(part: Path, mode: str) -> Iterator[IO[bytes]]:
    try:
        with part.open(mode) as file:
            yield file
    except OSError as error:
        raise SaveError(
            f"The file could not be written to {part.parent} ({error.strerror})."
        ) from error


def _total(response: httpx.Response, held: int) -> int | None:
    """Return the size of the whole file in bytes, when the response tells it."""
    length = response.headers.get("content-length", "")
    return held + int(length) if length.isdecimal() and not content_encoding(response) else None


def _length(response: httpx.Response, received: int, told: int | None) -> Length:
    """Return what is known of the length of a file whose transfer ended without an error.

    A Content-Length was met by now, a last chunk has come, and a packed body has its checksum.
    """
    headers = response.headers
    is_sized = headers.get("content-length", "").isdecimal()
    if received == told or (told is None and is_sized):
        return Length.CONFIRMED
    is_chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    ended_in_order = is_sized or is_chunked or bool(content_encoding(response))
    return Length.ENDED if ended_in_order and received >= (told or 0) else Length.DOUBTFUL


def _starts_at(response: httpx.Response, held: int) -> bool:
    return str(response.headers.get("content-range", "")).startswith(f"bytes {held}-")


def _strong_etag(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag")
    return etag if etag and not etag.startswith("W/") else None


def _final(error: ServiceError) -> ViduError:
    if error.status_code in GONE_STATUSES:
        return ClipGoneError(
            f"fal no longer serves the file (HTTP {error.status_code}).",
            status_code=error.status_code,
        )
    if error.status_code in LATE_STATUSES:
        return DownloadError(
            f"fal refused the download (HTTP {error.status_code}).",
            "Run the same shot again later, free; if that never helps, ask fal's support about it.",
            status_code=error.status_code,
        )
    return DownloadError(
        f"The file could not be downloaded: {error.message}", status_code=error.status_code
    )
