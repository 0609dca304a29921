"""The routes of the library."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from ...vidu.errors import CorruptClipError
from ...vidu.ledger import UnreadableEntry, open_ledger
from ...vidu.library import (
    STATE_FILTERS,
    known_models,
    load_or_resume,
    read_metadata,
    search_entries,
)
from ...vidu.media.thumbnails import Thumbnails
from ...vidu.models import Entry, SavedFile
from .. import host
from ..generation import RECALLED_PREFIX
from ..host.progress import NodeProgress
from .account import find_refusal
from .entries import MEDIA_TYPES, entry_to_json, is_servable, is_sha256, unreadable_to_json
from .http import (
    MAX_TEXT_LENGTH,
    PRIVATE,
    PROTECTED,
    Threads,
    api_handler,
    bad_request,
    json_response,
    read_json,
    whole_number,
)
from .prices import Prices

MAX_PAGE = 200
THUMBNAILS_AT_ONCE = 2
LASTING = {**PROTECTED, "Cache-Control": "private, max-age=31536000"}
CLIP = r"/vidu/clips/{id:\d{1,15}}"


class ClipRoutes:
    """What the library asks for.

    Args:
        data_dir: The private folder of ledger, settings and key.
        threads: Where files and the ledger are read.
        prices: What tells prices of graphs.
    """

    def __init__(self, data_dir: Path, threads: Threads, prices: Prices) -> None:
        self._data_dir = data_dir
        self._threads = threads
        self._prices = prices
        self._thumbnails = Thumbnails(data_dir / "thumbnails")
        self._thumbnail_slots = asyncio.Semaphore(THUMBNAILS_AT_ONCE)
        self._thumbnail_threads = Threads(THUMBNAILS_AT_ONCE, "vidu-thumbnails")

    def register(self, table: web.RouteTableDef, slots: asyncio.Semaphore) -> None:
        """Add every route to the table; `slots` are shared by those that read the ledger."""
        table.get("/vidu/clips")(api_handler(self.list_clips, slots))
        table.delete(CLIP)(api_handler(self.forget))  # it may wait for another process to write
        table.post(f"{CLIP}/resume")(api_handler(self.resume))
        table.get(f"{CLIP}/thumbnail")(api_handler(self.get_thumbnail, slots))
        table.get(f"{CLIP}/file")(api_handler(self.get_file, slots))
        table.get(f"{CLIP}/workflow")(api_handler(self.get_workflow, slots))
        table.get(f"{CLIP}/rerun")(api_handler(self.get_rerun, slots))

    async def list_clips(self, request: web.Request) -> web.Response:
        """List clips, newest first: ?text=&state=&model=&machine=&offset=&limit=&choices=1.

        With `choices` it also returns the models and machines there are to choose from.
        """
        query = request.query
        state = query.get("state", "all")
        if state not in STATE_FILTERS or len(query.get("text", "")) > MAX_TEXT_LENGTH:
            raise bad_request("The library has no such filter.")
        page = await search_entries(
            self._data_dir,
            text=query.get("text", "").strip(),
            state=state,
            model=query.get("model", ""),
            host=query.get("machine", ""),
            offset=whole_number(query.get("offset", "0"), 10**9),
            limit=whole_number(query.get("limit", "60"), MAX_PAGE),
        )
        running = self._running()
        cards = await self._threads.run(lambda: [_card(entry, running) for entry in page.entries])
        answer = {"total": page.total, "is_more": page.is_more, "clips": cards}
        if query.get("choices"):
            answer["models"] = await known_models(self._data_dir)
            async with open_ledger(self._data_dir) as ledger:
                answer["machines"] = await ledger.hosts()
        return json_response(answer)

    async def forget(self, request: web.Request) -> web.Response:
        """Remove a row from the library; its file stays, and its amount stays in the sums."""
        found = await self._find(request)
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(open_ledger(self._data_dir))
            if isinstance(found, Entry):  # the shot of a row that cannot be read is not known
                await stack.enter_async_context(
                    ledger.lock_shot(found.fingerprint, _refuse_in_progress)
                )
            await ledger.delete(found)
        return json_response({})

    async def resume(self, request: web.Request) -> web.Response:
        """Fetch a clip that fal owes, free; the response comes when it is there."""
        await read_json(request)
        entry = await self._entry(request)
        display = NodeProgress([entry])
        destination = await self._threads.run(host.destination, RECALLED_PREFIX)
        work = load_or_resume(entry, self._data_dir, destination, display.callback_for(0))
        await host.run_with_progress(work, display)
        entry = await self._entry(request)
        return json_response(await self._threads.run(_card, entry, self._running()))

    async def get_thumbnail(self, request: web.Request) -> web.StreamResponse:
        """Serve a clip's first frame as a small JPEG."""
        file = await self._file(request)
        if not is_sha256(file.sha256):
            raise web.HTTPNotFound  # the hash names the thumbnail's file
        path = await self._threads.run(self._thumbnails.find, file)
        if path is None:
            async with self._thumbnail_slots:
                if request.transport is None or request.transport.is_closing():
                    raise web.HTTPNoContent  # scrolled away while it waited
                path = await self._thumbnail_threads.run(self._make_thumbnail, file)
        return web.FileResponse(path, headers={**LASTING, "Content-Type": "image/jpeg"})

    async def get_file(self, request: web.Request) -> web.StreamResponse:
        """Serve a saved file, whole or by Range."""
        file = await self._file(request)
        media_type = MEDIA_TYPES[file.path.suffix.lower()]
        return web.FileResponse(file.path, headers={**PRIVATE, "Content-Type": media_type})

    async def get_workflow(self, request: web.Request) -> web.Response:
        """Return the workflow that made a clip, or null."""
        metadata = await self._metadata(await self._entry(request))
        return json_response({"workflow": metadata.get("workflow")})

    async def get_rerun(self, request: web.Request) -> web.Response:
        """Return whether a clip has its workflow, and what it costs again with a new seed.

        A run that would be refused for its key or its cost has the reason as its `problem`.
        """
        entry = await self._entry(request)
        metadata = await self._metadata(entry)
        has_workflow, prompt = bool(metadata.get("workflow")), metadata.get("prompt")
        rerun = None
        if has_workflow and isinstance(prompt, dict):
            rerun = await self._prices.of_rerun(entry, prompt)
        if rerun is not None:
            usd = Decimal(str(rerun["total"]["least"]))
            rerun["problem"] = await find_refusal(self._data_dir, self._threads, usd)
        return json_response({"has_workflow": has_workflow, "rerun": rerun})

    async def _find(self, request: web.Request) -> Entry | UnreadableEntry:
        async with open_ledger(self._data_dir) as ledger:
            found = await ledger.find(int(request.match_info["id"]))
        if found is None:
            raise web.HTTPNotFound
        return found

    async def _entry(self, request: web.Request) -> Entry:
        found = await self._find(request)
        if not isinstance(found, Entry):  # it has neither file nor request that can be told
            raise web.HTTPNotFound
        return await self._threads.run(_with_file_here, found)

    async def _file(self, request: web.Request) -> SavedFile:
        entry = await self._entry(request)
        if entry.file is None or not await self._threads.run(is_servable, entry.file):
            raise web.HTTPNotFound
        return entry.file

    async def _metadata(self, entry: Entry) -> dict[str, Any]:
        async with open_ledger(self._data_dir) as ledger:
            texts = await ledger.load_metadata(entry)
        return await self._threads.run(read_metadata, entry, texts)

    def _running(self) -> frozenset[str]:
        jobs = host.jobs().current()
        return frozenset(job["fingerprint"] for job in jobs if job["phase"] != "done")

    def _make_thumbnail(self, file: SavedFile) -> Path:
        try:
            return self._thumbnails.make(file)
        except (CorruptClipError, OSError) as error:
            raise web.HTTPNotFound from error


def _card(entry: Entry | UnreadableEntry, running: frozenset[str]) -> dict[str, Any]:
    if isinstance(entry, UnreadableEntry):
        return unreadable_to_json(entry.id)
    entry = _with_file_here(entry)
    try:
        card = entry_to_json(
            entry, is_running=entry.fingerprint in running, has_workflow=entry.file is not None
        )
    except (TypeError, ValueError, AttributeError, OSError):
        return unreadable_to_json(entry.id)
    if entry.file and card["file"]["exists"]:
        card["file"]["view"] = host.view_of(entry.file.path)
    return card


def _with_file_here(entry: Entry) -> Entry:
    return replace(entry, file=host.locate(entry.file)) if entry.file else entry


def _refuse_in_progress(_: str) -> None:
    raise bad_request("This clip is in progress right now: cancel it first.", web.HTTPConflict)
