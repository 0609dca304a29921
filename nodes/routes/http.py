"""The parts that all routes share: access, threads, JSON, errors as sentences."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiohttp import web

from ...vidu.errors import CredentialError, InvalidInputError, ViduError
from .same_site import require_known_host, require_same_site

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")

MAX_TEXT_LENGTH = 1500
PROTECTED = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
PRIVATE = {**PROTECTED, "Cache-Control": "no-store"}


class Threads:
    """Threads of our own: the host serves its files from those of its event loop.

    Args:
        count: How many calls run at the same time; others wait.
        name: What the threads are called in a debugger.
    """

    def __init__(self, count: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Return what `func` returns, called in one of these threads."""
        loop = asyncio.get_running_loop()
        call = functools.partial(func, *args, **kwargs)
        return await loop.run_in_executor(self._executor, call)


def api_handler(handler: Handler, slots: asyncio.Semaphore | None = None) -> Handler:
    """Wrap a handler: refused to other sites, and with errors as JSON sentences.

    Args:
        handler: The handler.
        slots: How many of those that share them work at the same time. Each thread that is at
            work may keep the host's event loop waiting for 5 ms, Python's switch interval.
    """

    @functools.wraps(handler)
    async def guarded(request: web.Request) -> web.StreamResponse:
        require_known_host(request)
        require_same_site(request)
        try:
            async with slots or contextlib.nullcontext():
                return await handler(request)
        except (InvalidInputError, CredentialError) as error:
            return json_response({"error": str(error)}, status=400)
        except ViduError as error:
            return json_response({"error": str(error)}, status=502)
        except OSError as error:
            return json_response({"error": f"{error.strerror}: {error.filename}"}, status=500)

    return guarded


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return a response that nobody keeps."""
    return web.json_response(value, status=status, headers=PRIVATE)


def bad_request(
    message: str, kind: type[web.HTTPClientError] = web.HTTPBadRequest
) -> web.HTTPClientError:
    """Return the error to raise."""
    return kind(text=message)


async def read_json(request: web.Request) -> dict[str, Any]:
    """Return the JSON object that was sent.

    Raises:
        web.HTTPUnsupportedMediaType: It is not called JSON; a form of another site cannot be.
        web.HTTPBadRequest: It is not a JSON object.
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


def whole_number(text: str, most: int) -> int:
    """Return a query parameter as a number from 0 to `most`.

    Raises:
        web.HTTPBadRequest: It is no such number.
    """
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) > most:
        raise bad_request(f"{text[:20]!r} is not a whole number from 0 to {most}.")
    return int(text)
