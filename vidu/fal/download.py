"""A result's URL into a whole, checked file.

The address comes from outside, so it is looked at before each hop: https, no private host. The
file is taken as a clip only when it has the length that was promised and begins like an mp4;
that each frame decodes is `clip.check`'s to say.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import httpx

from ..errors import (
    ClipGoneError,
    ConnectionFailedError,
    CorruptClipError,
    DownloadError,
    SaveError,
    ServiceError,
    UnsafeUrlError,
    ViduError,
)
from ..progress import ProgressCallback, downloading
from ..retry import retry
from ..settings import Settings
from .http import to_connection_error
from .responses import error_from_response
from .safe_url import check_peer, check_url

MAX_ATTEMPTS = 6
MOST_HOPS = 5
TELL_EVERY_S = 0.25
GONE_STATUSES = frozenset({404, 410})
LATE_STATUSES = GONE_STATUSES | {403}
"""What a CDN may answer for a clip that has not reached all of its servers yet."""


async def download(
    http: httpx.AsyncClient,
    url: str,
    part: Path,
    size: int | None,
    settings: Settings,
    on_progress: ProgressCallback,
) -> None:
    """Fetch `url` into the file `part`.

    A transfer that breaks is resumed where it broke, when the server can; else begun afresh.

    Args:
        http: A client that carries no key and does not follow redirects.
        url: Where the clip is; not trusted.
        part: The file to write, beside the clip's later place; it must not exist.
        size: The size in bytes that fal promised, when it did.
        settings: The largest size, and how long a transfer that fails is tried again.
        on_progress: Told of the bytes as they come.

    Raises:
        UnsafeUrlError: The address, or one it redirects to, is not one that is fetched.
        ClipGoneError: The address answers that there is nothing.
        DownloadError: The transfer failed again and again.
        CorruptClipError: What came whole is not the clip that was promised.
        SaveError: The file could not be written.
    """
    on_progress(downloading(0, size))
    transfer = _Transfer(url, part, size, settings, on_progress)
    try:
        await retry(
            lambda: transfer.attempt(http),
            timeout_s=float(settings.retry_timeout_s),
            attempts=MAX_ATTEMPTS,
            retry_if=lambda error: error.retryable or error.status_code in LATE_STATUSES,
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
        self._url = url
        self._part = part
        self._size = size
        self._limit = int(settings.clip_limit_mb * 1_000_000)
        self._on_progress = on_progress
        self._etag: str | None = None

    async def attempt(self, http: httpx.AsyncClient) -> None:
        """Fetch what is missing, then check the whole."""
        held = self._part.stat().st_size if self._etag and self._part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if held:
            headers |= {"Range": f"bytes={held}-", "If-Range": self._etag or ""}
        async with _opened(http, self._url, headers) as response:
            if response.status_code == 416:
                self._etag = None
                raise ConnectionFailedError("The transfer cannot be resumed.")
            if response.status_code not in (200, 206):
                raise error_from_response(response)
            resumed = response.status_code == 206 and _starts_at(response, held)
            if response.status_code == 206 and not resumed:
                self._etag = None
                raise ConnectionFailedError("The transfer cannot be resumed.")
            self._etag = _strong_etag(response)
            await self._write(response, held if resumed else 0)
        self._check()

    async def _write(self, response: httpx.Response, held: int) -> None:
        length = response.headers.get("content-length", "")
        total = held + int(length) if length.isdecimal() else None
        self._check_limit(max(total or 0, self._size or 0))
        received, told_at = held, 0.0
        with _written(self._part, "ab" if held else "wb") as file:
            async for chunk in response.aiter_raw():
                received += len(chunk)
                self._check_limit(received)
                file.write(chunk)
                if time.monotonic() - told_at > TELL_EVERY_S:
                    self._on_progress(downloading(received, self._size or total))
                    told_at = time.monotonic()
        if total is not None and received != total:
            raise ConnectionFailedError("The transfer ended early.")

    def _check(self) -> None:
        received = self._part.stat().st_size
        if self._size is not None and received != self._size:
            raise CorruptClipError(
                f"The clip came with {received} bytes, and fal promised {self._size}."
            )
        with self._part.open("rb") as file:
            head = file.read(12)
        if head[4:8] != b"ftyp":
            raise CorruptClipError("What fal's address serves is not an mp4 file.")

    def _check_limit(self, size: int) -> None:
        if size > self._limit:
            raise DownloadError(
                f"The clip is larger than {self._limit / 1e6:.0f} MB.",
                "Raise VIDU_CLIP_LIMIT_MB and run the same shot again, free.",
            )


@asynccontextmanager
async def _opened(
    http: httpx.AsyncClient, url: str, headers: dict[str, str]
) -> AsyncIterator[httpx.Response]:
    for _ in range(MOST_HOPS):
        await check_url(url)
        try:
            async with http.stream("GET", url, headers=headers) as response:
                check_peer(response)
                if not response.has_redirect_location:
                    if not response.is_success:
                        await response.aread()
                    yield response
                    return
                url = str(response.url.join(response.headers["location"]))
        except httpx.InvalidURL as error:
            raise UnsafeUrlError("fal's address for the clip cannot be read.") from error
        except httpx.RequestError as error:
            raise to_connection_error(httpx.URL(url).host, error) from error
    raise UnsafeUrlError("fal's address for the clip redirects without end.")


@contextmanager
def _written(part: Path, mode: str) -> Iterator[IO[bytes]]:
    try:
        with part.open(mode) as file:
            yield file
    except OSError as error:
        raise SaveError(
            f"The clip could not be written to {part.parent} ({error.strerror})."
        ) from error


def _starts_at(response: httpx.Response, held: int) -> bool:
    return str(response.headers.get("content-range", "")).startswith(f"bytes {held}-")


def _strong_etag(response: httpx.Response) -> str | None:
    etag = response.headers.get("etag")
    return etag if etag and not etag.startswith("W/") else None


def _final(error: ServiceError) -> ViduError:
    if error.status_code in GONE_STATUSES:
        return ClipGoneError(f"fal no longer serves the clip (HTTP {error.status_code}).")
    if error.status_code in LATE_STATUSES:
        return DownloadError(
            f"fal refused the download (HTTP {error.status_code}).",
            "Run the same shot again later, free; if that never helps, ask fal's support about it.",
        )
    return DownloadError(f"The clip could not be downloaded: {error.message}")
