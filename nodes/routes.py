"""What the web extension asks for over HTTP: the key, the budget, the library.

Each route is refused to other sites' pages, and none ever tells the key.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from ..vidu.credentials import find_key, forget_key, parse_key, store_key
from ..vidu.entry import Entry, KeptFile
from ..vidu.errors import CorruptClip, InvalidInput, KeyProblem, MissingKey, ViduError
from ..vidu.ledger import Ledger
from ..vidu.library import GROUPS, carried_workflow, look_up, recall
from ..vidu.poster import Posters
from ..vidu.request import IMAGE_TO_VIDEO
from ..vidu.settings import Settings, store_daily_budget
from . import host
from .cards import card
from .display import Display
from .same_site import require_same_site
from .takes import RECALLED_PREFIX

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_CLIPS = 200
MOST_TEXT = 1500
POSTERS_AT_ONCE = 2
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LASTING = {"Cache-Control": "private, max-age=31536000", "X-Content-Type-Options": "nosniff"}


class Routes:
    """The answers.

    Args:
        home: The private folder of ledger, settings and key.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._posters = Posters(home / "posters")
        self._poster_turns = asyncio.Semaphore(POSTERS_AT_ONCE)

    def register(self, table: web.RouteTableDef) -> None:
        """Add every route to the table."""
        answers: dict[tuple[str, str], Handler] = {
            ("GET", "/vidu/state"): self.state,
            ("POST", "/vidu/key"): self.store_key,
            ("DELETE", "/vidu/key"): self.remove_key,
            ("POST", "/vidu/key/check"): self.check_key,
            ("POST", "/vidu/budget"): self.store_budget,
            ("GET", "/vidu/live"): self.live,
            ("GET", "/vidu/clips"): self.clips,
            ("DELETE", r"/vidu/clips/{id:\d{1,15}}"): self.forget,
            ("POST", r"/vidu/clips/{id:\d{1,15}}/collect"): self.collect,
            ("GET", r"/vidu/clips/{id:\d{1,15}}/poster"): self.poster,
            ("GET", r"/vidu/clips/{id:\d{1,15}}/file"): self.file,
            ("GET", r"/vidu/clips/{id:\d{1,15}}/workflow"): self.workflow,
        }
        for (method, path), answer in answers.items():
            table.route(method, path)(_answered(answer))

    async def state(self, _: web.Request) -> web.Response:
        """Tell whether there is a key and from where, what is spent, and the budget."""
        return _json(await asyncio.to_thread(self._state))

    async def store_key(self, request: web.Request) -> web.Response:
        """Take the key that was typed; it is never told again."""
        body = await _body(request)
        secret = parse_key(_text(body, "key"), "the key field")
        await asyncio.to_thread(store_key, self._home, secret)
        return _json(await asyncio.to_thread(self._state))

    async def remove_key(self, _: web.Request) -> web.Response:
        """Remove the stored key."""
        await asyncio.to_thread(forget_key, self._home)
        return _json(await asyncio.to_thread(self._state))

    async def check_key(self, request: web.Request) -> web.Response:
        """Ask fal whether it accepts the key: a status request, which is free."""
        from ..vidu.fal import Fal

        await _body(request)
        secret = find_key(self._home).secret
        async with Fal(secret, Settings.load(self._home)) as fal:
            await fal.check_key()
        return _json({"accepted": True})

    async def store_budget(self, request: web.Request) -> web.Response:
        """Set the daily budget in US dollars; 0 lifts it."""
        usd = (await _body(request)).get("daily_usd")
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd <= 1e6:
            raise _refused("daily_usd must be a number from 0 to 1000000.")
        await asyncio.to_thread(store_daily_budget, self._home, Decimal(str(usd)))
        return _json(await asyncio.to_thread(self._state))

    async def live(self, _: web.Request) -> web.Response:
        """Tell what is on its way right now; `vidu.live` on the socket tells of each change."""
        return _json({"jobs": host.live_jobs()})

    async def clips(self, request: web.Request) -> web.Response:
        """List clips, newest first: ?text=&group=&offset=&limit=."""
        query = request.query
        group = query.get("group", "all")
        if group not in GROUPS or len(query.get("text", "")) > MOST_TEXT:
            raise _refused("group or text is not one that can be looked for.")
        page = await asyncio.to_thread(
            look_up,
            self._home,
            text=query.get("text", "").strip(),
            group=group,
            offset=_whole(query.get("offset", "0"), 10**9),
            limit=_whole(query.get("limit", "60"), MOST_CLIPS),
        )
        cards = await asyncio.to_thread(lambda: [card(entry) for entry in page.entries])
        return _json({"total": page.total, "clips": cards})

    async def forget(self, request: web.Request) -> web.Response:
        """Remove a row; its file stays."""
        entry = await self._entry(request)
        if any(job["fingerprint"] == entry.fingerprint for job in host.live_jobs()):
            raise _refused("This clip is on its way right now: cancel it first.", web.HTTPConflict)

        def remove() -> None:
            with Ledger.open(self._home) as ledger:
                ledger.forget(entry)

        await asyncio.to_thread(remove)
        return _json({})

    async def collect(self, request: web.Request) -> web.Response:
        """Bring home a clip that fal owes, free; answers when it is there."""
        await _body(request)
        entry = await self._entry(request)
        display = Display([entry])
        names = host.names(RECALLED_PREFIX)
        with host.live(display):
            await host.shown(recall(entry, self._home, names, display.teller(0)), display)
        return _json(card(await self._entry(request)))

    async def poster(self, request: web.Request) -> web.StreamResponse:
        """Serve a clip's first frame as a small JPEG."""
        file = await self._file(request)
        path = await asyncio.to_thread(self._posters.find, file)
        if path is None:
            async with self._poster_turns:
                if request.transport is None or request.transport.is_closing():
                    raise web.HTTPNoContent  # scrolled away while it waited
                path = await asyncio.to_thread(self._made_poster, file)
        return web.FileResponse(path, headers={**LASTING, "Content-Type": "image/jpeg"})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Serve a kept clip, whole or by Range."""
        file = await self._file(request)
        return web.FileResponse(file.path, headers={**PRIVATE, "Content-Type": "video/mp4"})

    async def workflow(self, request: web.Request) -> web.Response:
        """Tell the workflow that a kept clip carries, or null."""
        file = await self._file(request)
        return _json({"workflow": await asyncio.to_thread(carried_workflow, file.path)})

    async def _entry(self, request: web.Request) -> Entry:
        def read() -> Entry | None:
            with Ledger.open(self._home) as ledger:
                return ledger.get(int(request.match_info["id"]))

        entry = await asyncio.to_thread(read)
        if entry is None:
            raise web.HTTPNotFound
        return entry

    async def _file(self, request: web.Request) -> KeptFile:
        entry = await self._entry(request)
        if entry.file is None or not await asyncio.to_thread(entry.file.path.is_file):
            raise web.HTTPNotFound
        return entry.file

    def _made_poster(self, file: KeptFile) -> Path:
        try:
            return self._posters.make(file)
        except (CorruptClip, OSError) as error:
            raise web.HTTPNotFound from error

    def _state(self) -> dict[str, Any]:
        with Ledger.open(self._home) as ledger:
            today, month = ledger.spent_today(), ledger.spent_this_month()
        return {
            "key": self._key_state(),
            "price_usd": float(IMAGE_TO_VIDEO.price.usd),
            "today_usd": float(today),
            "month_usd": float(month),
            "daily_budget_usd": float(Settings.load(self._home).daily_budget_usd),
            "budget_is_fixed": bool(os.environ.get("VIDU_DAILY_BUDGET_USD", "").strip()),
        }

    def _key_state(self) -> dict[str, Any]:
        try:
            return {"configured": True, "source": find_key(self._home).source, "problem": None}
        except MissingKey:
            return {"configured": False, "source": None, "problem": None}
        except ViduError as error:
            return {"configured": False, "source": None, "problem": str(error)}


def _answered(answer: Handler) -> Handler:
    """Wrap an answer: refused to other sites, and with errors in words."""

    @functools.wraps(answer)
    async def guarded(request: web.Request) -> web.StreamResponse:
        require_same_site(request)
        try:
            return await answer(request)
        except (InvalidInput, KeyProblem) as error:
            return _json({"error": str(error)}, status=400)
        except ViduError as error:
            return _json({"error": str(error)}, status=502)
        except OSError as error:
            return _json({"error": f"{error.strerror}: {error.filename}"}, status=500)

    return guarded


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise _refused("Send JSON.", web.HTTPUnsupportedMediaType)
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _refused("Send a JSON object.")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    if not isinstance(body.get(name), str) or len(body[name]) > MOST_TEXT:
        raise _refused(f"{name} must be a text.")
    return str(body[name])


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or int(text) > most:
        raise _refused(f"{text[:20]!r} is not a whole number from 0 to {most}.")
    return int(text)


def _refused(
    words: str, kind: type[web.HTTPClientError] = web.HTTPBadRequest
) -> web.HTTPClientError:
    return kind(text=words)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status, headers=PRIVATE)
