"""Over HTTP: the library, clip by clip, and what is on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from ...vidu.errors import CorruptClipError
from ...vidu.ledger import open_ledger
from ...vidu.library import STATE_FILTERS, load_or_resume, read_workflow, search_entries
from ...vidu.media.thumbnails import Posters
from ...vidu.models import Entry, SavedFile
from .. import host
from ..generation import RECALLED_PREFIX
from ..host.progress import NodeProgress
from .entries import entry_to_json
from .http import MOST_TEXT, PRIVATE, api_handler, bad_request, json_response, read_json

MOST_CLIPS = 200
POSTERS_AT_ONCE = 2
LASTING = {"Cache-Control": "private, max-age=31536000", "X-Content-Type-Options": "nosniff"}
CLIP = r"/vidu/clips/{id:\d{1,15}}"


class ClipRoutes:
    """What the library asks for.

    Args:
        data_dir: The private folder of ledger, settings and key.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._posters = Posters(data_dir / "posters")
        self._poster_turns = asyncio.Semaphore(POSTERS_AT_ONCE)

    def register(self, table: web.RouteTableDef) -> None:
        """Add every route to the table."""
        table.get("/vidu/jobs")(api_handler(self.live))
        table.get("/vidu/clips")(api_handler(self.clips))
        table.delete(CLIP)(api_handler(self.forget))
        table.post(f"{CLIP}/collect")(api_handler(self.collect))
        table.get(f"{CLIP}/poster")(api_handler(self.poster))
        table.get(f"{CLIP}/file")(api_handler(self.file))
        table.get(f"{CLIP}/workflow")(api_handler(self.workflow))

    async def live(self, _: web.Request) -> web.Response:
        """Tell what is on its way right now; `vidu.jobs` on the socket tells of each change."""
        return json_response({"jobs": host.current_jobs()})

    async def clips(self, request: web.Request) -> web.Response:
        """List clips, newest first: ?text=&group=&offset=&limit=."""
        query = request.query
        group = query.get("group", "all")
        if group not in STATE_FILTERS or len(query.get("text", "")) > MOST_TEXT:
            raise bad_request("group or text is not one that can be looked for.")
        page = await asyncio.to_thread(
            search_entries,
            self._data_dir,
            text=query.get("text", "").strip(),
            group=group,
            offset=_whole(query.get("offset", "0"), 10**9),
            limit=_whole(query.get("limit", "60"), MOST_CLIPS),
        )
        cards = await asyncio.to_thread(lambda: [entry_to_json(entry) for entry in page.entries])
        return json_response({"total": page.total, "clips": cards})

    async def forget(self, request: web.Request) -> web.Response:
        """Remove a row; its file stays."""
        entry = await self._entry(request)
        async with (
            open_ledger(self._data_dir) as ledger,
            ledger.lock_shot(entry.fingerprint, _refuse_on_its_way),
        ):
            await ledger.delete(entry)
        return json_response({})

    async def collect(self, request: web.Request) -> web.Response:
        """Bring home a clip that fal owes, free; answers when it is there."""
        await read_json(request)
        entry = await self._entry(request)
        display = NodeProgress([entry])
        destination = await asyncio.to_thread(host.destination, RECALLED_PREFIX)
        with host.track_job(display):
            await host.run_with_progress(
                load_or_resume(entry, self._data_dir, destination, display.callback_for(0)), display
            )
        return json_response(entry_to_json(await self._entry(request)))

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
        """Serve a saved clip, whole or by Range."""
        file = await self._file(request)
        return web.FileResponse(file.path, headers={**PRIVATE, "Content-Type": "video/mp4"})

    async def workflow(self, request: web.Request) -> web.Response:
        """Return the workflow that a saved clip carries, or null."""
        file = await self._file(request)
        return json_response({"workflow": await asyncio.to_thread(read_workflow, file.path)})

    async def _entry(self, request: web.Request) -> Entry:
        async with open_ledger(self._data_dir) as ledger:
            entry = await ledger.get(int(request.match_info["id"]))
        if entry is None:
            raise web.HTTPNotFound
        return entry

    async def _file(self, request: web.Request) -> SavedFile:
        entry = await self._entry(request)
        if entry.file is None or not await asyncio.to_thread(entry.file.path.is_file):
            raise web.HTTPNotFound
        return entry.file

    def _made_poster(self, file: SavedFile) -> Path:
        try:
            return self._posters.make(file)
        except (CorruptClipError, OSError) as error:
            raise web.HTTPNotFound from error


def _refuse_on_its_way(_: str) -> None:
    raise bad_request("This clip is on its way right now: cancel it first.", web.HTTPConflict)


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > 10 or int(text) > most:
        raise bad_request(f"{text[:20]!r} is not a whole number from 0 to {most}.")
    return int(text)
