"""rest.fal.ai's storage and the CDN: tokens, uploads, files."""

from __future__ import annotations

import secrets
import zlib
from datetime import datetime, timedelta, timezone

from aiohttp import web

from .auth import key_error, locked_account_error
from .connection import drop, hang
from .faults import Faults
from .media import CDN_HOSTS, Media, Medium
from .multipart import Multipart
from .responses import CannedResponse, error_detail

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
        self._multipart = Multipart(media, self._token_error)

    def rest_app(self) -> web.Application:
        """Return what answers at rest.fal.ai."""
        app = web.Application()
        token = self._faults.guard("token", self._issue_token)
        app.add_routes(
            [
                web.post("/storage/auth/token", token),
                # Where fal-client goes after an upload that failed (fal.md 3.4).
                web.post("/storage/upload/initiate", _refuse_old_upload),
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
                *self._multipart.routes(self._faults),
                web.get("/files/b/{folder}/{name}", guard("download", self._serve)),
            ]
        )
        return app

    async def _issue_token(self, request: web.Request) -> web.StreamResponse:
        problem = key_error(request, self._key, "Authorization header is required")
        problem = problem or locked_account_error(self._faults)
        if problem:
            return problem.build()
        if request.query.get("storage_type") != "fal-cdn-v3":
            return error_detail(400, "Invalid storage type").build()
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

    def _token_error(self, request: web.Request) -> CannedResponse | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._tokens:
            return error_detail(401, "Invalid token")
        if self._faults.take("expired_token"):
            self._tokens.discard(token)
            return error_detail(401, "Token has expired")
        return None

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        problem = self._token_error(request)
        if problem:
            return problem.build()
        name = request.headers.get("X-Fal-File-Name", "upload.bin")
        url = self._media.store(await request.read(), name, request.content_type)
        return web.json_response({"access_url": url, "uploaded": True})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        medium = self._media.get(request.path)
        take = self._faults.take
        if medium is None or take("clip_gone"):
            return error_detail(404, "Not Found").build(CDN_HEADERS)
        if take("clip_forbidden"):
            return error_detail(403, "Forbidden").build(CDN_HEADERS)
        if take("clip_expired"):
            return error_detail(410, "Gone").build(CDN_HEADERS)
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
        if take("unsized_half"):
            response = _CloseDelimited(headers=_headers(medium))
            response.force_close()
            return await _send(request, response, data[: _middle(data)])
        if take("chunked_half"):
            chunked = web.StreamResponse(headers=_headers(medium))
            chunked.enable_chunked_encoding()
            return await _send(request, chunked, data[: _middle(data)])
        if take("gzipped_clip"):
            packed = web.StreamResponse(headers=_headers(medium) | {"Content-Encoding": "gzip"})
            packed.enable_chunked_encoding()
            return await _send(request, packed, zlib.compress(data, wbits=31))
        for fault in ("short", "download_broken", "download_stalled", "size_changes"):
            if take(fault):
                if fault == "size_changes":
                    self._media.grow(request.path)
                return await _half(request, medium, data, fault)
        if take("no_range") or not _range_holds(request, medium):
            return _whole(medium, data)
        return _part(request, medium, data)


async def _refuse_old_upload(_: web.Request) -> web.Response:
    return error_detail(400, "Invalid storage type").build()


def _headers(medium: Medium) -> dict[str, str]:
    return {**CDN_HEADERS, "Content-Type": medium.content_type, "ETag": medium.etag}


def _whole(medium: Medium, data: bytes) -> web.Response:
    return web.Response(body=data, headers=_headers(medium))


def _range_holds(request: web.Request, medium: Medium) -> bool:
    is_wanted = "Range" in request.headers
    return is_wanted and request.headers.get("If-Range", medium.etag) == medium.etag


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


def _middle(data: bytes) -> int:
    """Return where half of a clip ends: at the beginning of a fragment, where there are any."""
    half = len(data) // 2
    fragment = data.rfind(b"moof", 0, half)
    return fragment - 4 if fragment > 0 else half


class _CloseDelimited(web.StreamResponse):
    """A body that the end of the connection ends: nothing tells its length (RFC 9112, 6.3)."""

    _length_check = False  # else aiohttp sends it in chunks


async def _send(
    request: web.Request, response: web.StreamResponse, data: bytes
) -> web.StreamResponse:
    await response.prepare(request)
    await response.write(data)
    await response.write_eof()
    return response


async def _half(
    request: web.Request, medium: Medium, data: bytes, fault: str
) -> web.StreamResponse:
    """Send half of the body after promising all of it."""
    response = web.StreamResponse(headers=_headers(medium))
    response.content_length = len(data)
    response.force_close()
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if fault == "download_stalled":
        await hang()
    if fault in ("download_broken", "size_changes"):
        await drop(request)
    return response
