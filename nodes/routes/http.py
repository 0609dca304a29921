"""How each route answers: refused to other sites' pages, in JSON, and with errors in words."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ...vidu.errors import CredentialError, InvalidInputError, ViduError
from .same_site import require_same_site

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_TEXT = 1500
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def api_handler(answer: Handler) -> Handler:
    """Wrap an answer: refused to other sites, and with errors in words."""

    @functools.wraps(answer)
    async def guarded(request: web.Request) -> web.StreamResponse:
        require_same_site(request)
        try:
            return await answer(request)
        except (InvalidInputError, CredentialError) as error:
            return json_response({"error": str(error)}, status=400)
        except ViduError as error:
            return json_response({"error": str(error)}, status=502)
        except OSError as error:
            return json_response({"error": f"{error.strerror}: {error.filename}"}, status=500)

    return guarded


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return an answer that nobody keeps."""
    return web.json_response(value, status=status, headers=PRIVATE)


def bad_request(
    words: str, kind: type[web.HTTPClientError] = web.HTTPBadRequest
) -> web.HTTPClientError:
    """Return the error_from_response to raise."""
    return kind(text=words)


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the JSON object that was sent.

    Raises:
        web.HTTPUnsupportedMediaType: It is not called JSON; a form of another site cannot be.
        web.HTTPBadRequest: It is no JSON object.
    """
    if request.content_type != "application/json":
        raise bad_request("Send JSON.", web.HTTPUnsupportedMediaType)
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad_request("Send a JSON object.")
    return body
