"""Over HTTP: the library, clip by clip, and what is on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from ..vidu.entry import Entry, KeptFile
from ..vidu.errors import CorruptClip
from ..vidu.ledger import Ledger
from ..vidu.library import GROUPS, carried_workflow, look_up, recall
from ..vidu.poster import Posters
from . import host
from .answers import MOST_TEXT, PRIVATE, answered, in_json, refused, sent_object
from .cards import card
from .display import Display
from .takes import RECALLED_PREFIX

MOST_CLIPS = 200
POSTERS_AT_ONCE = 2
LASTING = {"Cache-Control": "private, max-age=31536000", "X-Content-Type-Options": "nosniff"}
CLIP = r"/vidu/clips/{id:\d{1,15}}"


class ClipRoutes:
    """What the library asks for.

    Args:
        home: The private folder of ledger, settings and key.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._posters = Posters(home / "posters")
        self._poster_turns = asyncio.Semaphore(POSTERS_AT_ONCE)

    def register(self, table: web.RouteTableDef) -> None:
        """Add every route to the table."""
        table.get("/vidu/live")(answered(self.live))
        table.get("/vidu/clips")(answered(self.clips))
        table.delete(CLIP)(answered(self.forget))
        table.post(f"{CLIP}/collect")(answered(self.collect))
        table.get(f"{CLIP}/poster")(answered(self.poster))
        table.get(f"{CLIP}/file")(answered(self.file))
        table.get(f"{CLIP}/workflow")(answered(self.workflow))

    async def live(self, _: web.Request) -> web.Response:
        """Tell what is on its way right now; `vidu.live` on the socket tells of each change."""
        return in_json({"jobs": host.live_jobs()})

    async def clips(self, request: web.Request) -> web.Response:
        """List clips, newest first: ?text=&group=&offset=&limit=."""
        query = request.query
        group = query.get("group", "all")
        if group not in GROUPS or len(query.get("text", "")) > MOST_TEXT:
            raise refused("group or text is not one that can be looked for.")
        page = await asyncio.to_thread(
            look_up,
            self._home,
            text=query.get("text", "").strip(),
            group=group,
            offset=_whole(query.get("offset", "0"), 10**9),
            limit=_whole(query.get("limit", "60"), MOST_CLIPS),
        )
        cards = await asyncio.to_thread(lambda: [card(entry) for entry in page.entries])
        return in_json({"total": page.total, "clips": cards})

    async def forget(self, request: web.Request) -> web.Response:
        """Remove a row; its file stays."""
        entry = await self._entry(request)
        with await asyncio.to_thread(Ledger.open, self._home) as ledger:
            async with ledger.turn(entry.fingerprint, _refuse_on_its_way):
                await asyncio.to_thread(ledger.forget, entry)
        return in_json({})

    async def collect(self, request: web.Request) -> web.Response:
        """Bring home a clip that fal owes, free; answers when it is there."""
        await sent_object(request)
        entry = await self._entry(request)
        display = Display([entry])
        names = await asyncio.to_thread(host.names, RECALLED_PREFIX)
        with host.live(display):
            await host.shown(recall(entry, self._home, names, display.teller(0)), display)
        return in_json(card(await self._entry(request)))

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
        return in_json({"workflow": await asyncio.to_thread(carried_workflow, file.path)})

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


def _refuse_on_its_way() -> None:
    raise refused("This clip is on its way right now: cancel it first.", web.HTTPConflict)


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > 10 or int(text) > most:
        raise refused(f"{text[:20]!r} is not a whole number from 0 to {most}.")
    return int(text)
