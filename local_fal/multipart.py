"""Uploads in parts, as fal-client makes them above 100 MB: open, a PUT for each part, complete."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from .faults import Faults
from .media import Media
from .responses import CannedResponse, error_detail

PART = "/files/b/{folder}/{name}/multipart/{upload}"


@dataclass
class _Opened:
    """An upload that is open: where it will be, what it is, and its parts by number."""

    url: str
    content_type: str
    parts: dict[int, bytes] = field(default_factory=dict)


class Multipart:
    """The uploads that are open.

    Args:
        media: Where a completed file is kept.
        token_error: Returns the answer to a request without a valid token, or None.
    """

    def __init__(
        self, media: Media, token_error: Callable[[web.Request], CannedResponse | None]
    ) -> None:
        self._media = media
        self._token_error = token_error
        self._opened: dict[str, _Opened] = {}

    def routes(self, faults: Faults) -> list[web.RouteDef]:
        """Return the three calls; each can meet the faults of an upload."""
        return [
            web.post("/files/upload/multipart", faults.guard("upload", self._open)),
            web.put(f"{PART}/{{number:[0-9]+}}", faults.guard("upload", self._take_part)),
            web.post(f"{PART}/complete", faults.guard("upload", self._complete)),
        ]

    async def _open(self, request: web.Request) -> web.StreamResponse:
        problem = self._token_error(request)
        if problem:
            return problem.build()
        upload, name = secrets.token_urlsafe(24), request.headers.get("X-Fal-File-Name", "file")
        opened = _Opened(self._media.reserve(name), request.content_type)
        self._opened[upload] = opened
        return web.json_response({"access_url": opened.url, "uploadId": upload})

    async def _take_part(self, request: web.Request) -> web.StreamResponse:
        opened, problem = self._opened.get(request.match_info["upload"]), self._token_error(request)
        if opened is None or problem:
            return (problem or error_detail(404, "Not Found")).build()
        data = await request.read()
        opened.parts[int(request.match_info["number"])] = data
        return web.Response(headers={"ETag": _etag(data)})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        opened, problem = self._opened.get(request.match_info["upload"]), self._token_error(request)
        if opened is None or problem:
            return (problem or error_detail(404, "Not Found")).build()
        told = {part["partNumber"]: part["etag"] for part in (await request.json())["parts"]}
        if told != {number: _etag(data) for number, data in opened.parts.items()}:
            return error_detail(400, "Invalid part").build()
        whole = b"".join(opened.parts[number] for number in sorted(opened.parts))
        self._media.fill(opened.url, whole, opened.content_type)
        return web.json_response({})


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
