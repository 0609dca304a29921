"""An upload in parts: fal's storage takes a file above 100 MB in no other way.

The three calls are those of fal-client's `MultipartUpload`: one that opens the upload, one for each
part, one that closes it. Each is repeated by itself, so that a lost part costs ten megabytes.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import httpx

from ..errors import UnreadableResponseError
from ..retry import retry
from .responses import json_body

PART_BYTES = 10 * 1024 * 1024
PARTS_SIDE_BY_SIDE = 4
STORAGE_DOMAIN = ".fal.media"
UPLOAD_ID = re.compile(r"[\w.~-]{1,500}")


class Send(Protocol):
    """Sends one request to fal's storage with its token, and raises unless it succeeds."""

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], **body: Any
    ) -> Awaitable[httpx.Response]:
        """Return the response."""


async def upload_in_parts(
    send: Send, url: str, data: bytes, headers: Mapping[str, str], *, retry_timeout_s: float
) -> str:
    """Return the address of a file that was uploaded part by part.

    Args:
        send: Sends one request.
        url: Where an upload is opened.
        data: The file.
        headers: Its type and its name.
        retry_timeout_s: How long each failing call is tried again, in seconds.

    Raises:
        ServiceError: A call failed for good; what was uploaded until then is not used.
    """

    async def try_again(call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        return await retry(call, timeout_s=retry_timeout_s)

    opened = json_body(await try_again(lambda: send("POST", url, headers=headers)))
    address, upload_id = opened.get("access_url"), opened.get("uploadId")
    if not _is_of_storage(address) or not UPLOAD_ID.fullmatch(str(upload_id or "")):
        raise UnreadableResponseError("fal's storage opened no upload.")
    parts = f"{address}/multipart/{upload_id}"
    slots = asyncio.Semaphore(PARTS_SIDE_BY_SIDE)

    async def upload_part(number: int) -> Mapping[str, Any]:
        async with slots:
            part = data[(number - 1) * PART_BYTES : number * PART_BYTES]
            response = await try_again(
                lambda: send("PUT", f"{parts}/{number}", headers=headers, content=part)
            )
        return {"partNumber": number, "etag": response.headers.get("etag", "")}

    count = math.ceil(len(data) / PART_BYTES)
    tasks = [asyncio.create_task(upload_part(number)) for number in range(1, count + 1)]
    try:
        body = {"parts": await asyncio.gather(*tasks)}
    finally:
        for task in tasks:
            task.cancel()
    await try_again(lambda: send("POST", f"{parts}/complete", headers={}, json=body))
    return str(address)


def _is_of_storage(address: object) -> bool:
    """Return whether the token may be sent to an address: only to fal's own storage."""
    try:
        url = httpx.URL(str(address))
    except httpx.InvalidURL:
        return False
    return url.scheme == "https" and url.host.endswith(STORAGE_DOMAIN) and not url.userinfo
