"""Uploads to fal's storage: once for each content, side by side, with an upper limit.

The two calls are fal-client's own (a token, then the file; a large one in parts), made on a client
that reads no endless response and does not repeat by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from ..errors import ServiceError, UnreadableResponseError, UploadError
from ..media.medium import Medium
from ..retry import retry
from ..threads import clear_frames_of
from .http import NoRetryClient, total_timeout_s
from .multipart import upload_in_parts
from .responses import error_from_response, json_body

TOKEN_URL = "https://rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3"
UPLOAD_URL = "https://v3.fal.media/files/upload"
MULTIPART_URL = f"{UPLOAD_URL}/multipart"
SIDE_BY_SIDE = 4
SLOWEST_BYTES_PER_S = 25_000
LONGEST_REUSE_S = 6 * 3600.0
"""fal keeps an upload for as long as the account says, by default for 7 days at least."""

LARGEST_IN_ONE = 100 * 1024 * 1024
"""fal's storage takes more than this only in parts."""


@dataclass(frozen=True)
class _Upload:
    """An upload that is going on or has ended, and when it began."""

    task: asyncio.Task[str]
    began_at: float

    def is_usable(self, now: float) -> bool:
        """Return whether its URL, or the wait for it, still serves another shot."""
        failed = self.task.done() and (self.task.cancelled() or self.task.exception() is not None)
        return not failed and now - self.began_at < LONGEST_REUSE_S


class Uploads:
    """The uploads of one run.

    Args:
        api: The client that carries the key, for the token.
        cdn: A client without the key, for the files.
        read_timeout_s: The longest silence within one request, in seconds.
        retry_timeout_s: How long a failing upload is tried again, in seconds.
        monotonic: Seconds since any moment.
    """

    def __init__(
        self,
        api: NoRetryClient,
        cdn: NoRetryClient,
        read_timeout_s: float,
        retry_timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._cdn = cdn
        self._read_timeout_s = read_timeout_s
        self._retry_timeout_s = retry_timeout_s
        self._authorization: str | None = None
        self._token_lock = asyncio.Lock()
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._monotonic = monotonic
        self._uploads: dict[str, _Upload] = {}
        self._contents: dict[str, str] = {}

    async def upload(self, medium: Medium) -> str:
        """Return the URL of a medium; a medium of the same content is uploaded once.

        Raises:
            UploadError: It did not arrive, after several tries.
            ViduError: The key or the account is refused.
        """
        key = f"{medium.media_type} {medium.content_sha256}"
        upload = self._uploads.get(key)
        if upload is None or not upload.is_usable(self._monotonic()):
            task = asyncio.create_task(self._upload_with_retry(medium))
            task.add_done_callback(_let_go)
            upload = self._uploads[key] = _Upload(task, self._monotonic())
        # Shielded: another shot may wait for the same upload.
        return await asyncio.shield(upload.task)

    async def aclose(self) -> None:
        """Stop what is still going on."""
        tasks = [upload.task for upload in self._uploads.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _upload_with_retry(self, medium: Medium) -> str:
        async with self._slots:
            data = await asyncio.to_thread(lambda: medium.data)  # of a video, its file is read
            headers = {
                "Content-Type": medium.media_type,
                "X-Fal-File-Name": f"{_kind(medium)}{medium.suffix}",
            }
            timeout_s = self._retry_timeout_s
            try:
                if len(data) > LARGEST_IN_ONE:
                    url = await upload_in_parts(
                        self._send, MULTIPART_URL, data, headers, retry_timeout_s=timeout_s
                    )
                else:
                    url = await retry(lambda: self._upload_once(data, headers), timeout_s=timeout_s)
                return self._check_address(url, medium)
            except ServiceError as error:
                raise UploadError(
                    f"The {_kind(medium)} could not be uploaded: {error.message}",
                    status_code=error.status_code,
                ) from error

    async def _upload_once(self, data: bytes, headers: Mapping[str, str]) -> str:
        response = await self._send("POST", UPLOAD_URL, headers=headers, content=data)
        url = json_body(response).get("access_url")
        if not isinstance(url, str) or not _is_web_address(url):
            raise UnreadableResponseError("fal's storage returned no address.")
        return url

    def _check_address(self, url: str, medium: Medium) -> str:
        """Return the address; one that another content has would be paid for in vain."""
        if self._contents.setdefault(url, medium.content_sha256) != medium.content_sha256:
            raise UnreadableResponseError("fal's storage returned the address of another upload.")
        return url

    async def _send(
        self, method: str, url: str, *, headers: Mapping[str, str], **body: Any
    ) -> httpx.Response:
        size = len(body.get("content", b""))
        total_s = total_timeout_s(self._read_timeout_s) + size / SLOWEST_BYTES_PER_S
        response = await self._cdn.request(
            method,
            url,
            headers={"Authorization": await self._token(), **headers},
            extensions={"total_s": total_s},
            **body,
        )
        if response.status_code == 401:
            self._authorization = None
            raise ServiceError(
                "fal's storage refused the token it had issued.", retryable=True, status_code=401
            )
        if not response.is_success:
            raise error_from_response(response)
        return response

    async def _token(self) -> str:
        async with self._token_lock:
            if self._authorization is None:
                body = _checked(await self._api.post(TOKEN_URL, json={}))
                token, kind = body.get("token"), body.get("token_type", "Bearer")
                if not isinstance(token, str) or not token.isprintable() or not token.isascii():
                    raise UnreadableResponseError("fal's storage returned no token.")
                self._authorization = f"{kind} {token}"
            return self._authorization


def _let_go(task: asyncio.Task[str]) -> None:
    """Let go of the file's bytes, which the error of a failed upload would keep."""
    if not task.cancelled():
        clear_frames_of(task.exception())


def _checked(response: httpx.Response) -> Mapping[str, Any]:
    if not response.is_success:
        raise error_from_response(response)
    return json_body(response)


def _is_web_address(url: str) -> bool:
    """Return whether fal can fetch it, and whether it is found again in fal's history."""
    try:
        is_clean = url.isprintable() and " " not in url
        return url.startswith("https://") and is_clean and bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


def _kind(medium: Medium) -> str:
    return medium.media_type.partition("/")[0]
