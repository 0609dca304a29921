"""rest.fal.ai's storage and the CDN: tokens, uploads, files."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone
from typing import Any

from aiohttp import web

from .auth import key_problem, lock
from .faults import Faults
from .media import CDN_HOSTS, Media, Medium
from .responses import Answer, detail, drop, silence

TOKEN_LIFE = timedelta(days=30)
CDN_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Access-Control-Allow-Origin": "*",
    "Accept-Ranges": "bytes",
}
PRIVATE = "https://169.254.169.254/latest/meta-data/"
PAGE = "<!doctype html><html><body><h1>Service unavailable</h1></body></html>"


class Storage:
    """Storage and CDN.

    Args:
        media: The files.
        faults: What goes wrong.
        key: The account's key.
    """

    def __init__(self, media: Media, faults: Faults, key: str) -> None:
        self._media = media
        self._faults = faults
        self._key = key
        self._tokens: set[str] = set()

    def rest_app(self) -> web.Application:
        """Return what answers at rest.fal.ai."""
        app = web.Application()
        token = self._faults.guard("token", self._token)
        app.add_routes(
            [
                web.post("/storage/auth/token", token),
                web.post("/storage/upload/initiate", self._initiate),
            ]
        )
        return app

    def cdn_app(self) -> web.Application:
        """Return what answers at the hosts of the CDN."""
        app = web.Application(client_max_size=500 * 1024**2)
        guard = self._faults.guard
        app.add_routes(
            [
                web.post("/files/upload", guard("upload", self._upload)),
                web.put("/files/b/{folder}/{name}", guard("upload", self._put)),
                web.get("/files/b/{folder}/{name}", guard("download", self._serve)),
            ]
        )
        return app

    async def _token(self, request: web.Request) -> web.StreamResponse:
        problem = self._refusal(request)
        if problem:
            return problem.response()
        if request.query.get("storage_type") != "fal-cdn-v3":
            return detail(400, "Invalid storage type").response()
        token = secrets.token_urlsafe(32)
        self._tokens.add(token)
        now = datetime.now(timezone.utc)
        body = {
            "token": token,
            "token_type": "Bearer",
            "base_url": f"https://{CDN_HOSTS[0]}",
            "created_at": now.isoformat(),
            "expires_at": (now + TOKEN_LIFE).isoformat(),
        }
        return web.json_response(body)

    async def _initiate(self, request: web.Request) -> web.StreamResponse:
        problem = self._refusal(request)
        if problem:
            return problem.response()
        if request.query.get("storage_type") != "fal-cdn-v3":
            return detail(400, "Invalid storage type").response()
        body: dict[str, Any] = await request.json()
        url = self._media.promise(body.get("file_name", "upload.bin"))
        return web.json_response({"upload_url": url, "file_url": url})

    def _refusal(self, request: web.Request) -> Answer | None:
        problem = key_problem(request, self._key, "Authorization header is required")
        return problem or lock(self._faults)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return detail(401, "Invalid token").response()
        if self._faults.take("expired_token"):
            self._tokens.discard(token)
            return detail(401, "Token has expired").response()
        name = request.headers.get("X-Fal-File-Name", "upload.bin")
        url = self._media.keep(await request.read(), name, request.content_type)
        return web.json_response({"access_url": url, "uploaded": True})

    async def _put(self, request: web.Request) -> web.StreamResponse:
        if not self._media.fulfil(request.path, await request.read(), request.content_type):
            return detail(403, "Forbidden").response()
        return web.Response()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        medium = self._media.find(request.path)
        take = self._faults.take
        if medium is None or take("clip_gone"):
            return detail(404, "Not Found").response(CDN_HEADERS)
        if take("clip_forbidden"):
            return detail(403, "Forbidden").response(CDN_HEADERS)
        if take("redirect"):
            raise web.HTTPFound(f"https://{CDN_HOSTS[-1]}{request.path}")
        if take("redirect_to_private"):
            raise web.HTTPFound(PRIVATE)
        if take("html"):
            return web.Response(text=PAGE, content_type="text/html", headers=CDN_HEADERS)
        data = medium.path.read_bytes()
        if take("empty"):
            return _whole(medium, b"")
        if take("truncated"):
            return _whole(medium, data[: len(data) // 2])
        for fault in ("short", "download_broken", "download_stalled"):
            if take(fault):
                return await _half(request, medium, data, fault)
        if take("no_range") or not _range_holds(request, medium):
            return _whole(medium, data)
        return _part(request, medium, data)


def _headers(medium: Medium) -> dict[str, str]:
    return {**CDN_HEADERS, "Content-Type": medium.content_type, "ETag": medium.etag}


def _whole(medium: Medium, data: bytes) -> web.Response:
    return web.Response(body=data, headers=_headers(medium))


def _range_holds(request: web.Request, medium: Medium) -> bool:
    wanted = "Range" in request.headers
    return wanted and request.headers.get("If-Range", medium.etag) == medium.etag


def _part(request: web.Request, medium: Medium, data: bytes) -> web.Response:
    size = len(data)
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        return _whole(medium, data)
    if start >= size:
        unsatisfied = {"Content-Range": f"bytes */{size}"}
        return web.Response(status=416, headers=_headers(medium) | unsatisfied)
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return web.Response(status=206, body=data[start:stop], headers=_headers(medium) | span)


async def _half(
    request: web.Request, medium: Medium, data: bytes, fault: str
) -> web.StreamResponse:
    response = web.StreamResponse(headers=_headers(medium))
    response.content_length = len(data)
    response.force_close()
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if fault == "download_stalled":
        await silence()
    if fault == "download_broken":
        await drop(request)
    return response
