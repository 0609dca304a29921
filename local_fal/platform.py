"""api.fal.ai: the listing of requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from aiohttp import web

from .auth import key_error
from .clock import ServerClock
from .faults import Faults, Handler
from .history import BadQueryError, Query, cursor_at
from .history_items import SHAPES, describe
from .jobs import Job, JobQueue
from .responses import CannedResponse, platform_error


class Platform:
    """The platform API.

    Args:
        jobs: The jobs it lists.
        faults: What goes wrong.
        clock: The server's clock.
        key: The account's key.
    """

    def __init__(self, jobs: JobQueue, faults: Faults, clock: ServerClock, key: str) -> None:
        self._jobs = jobs
        self._faults = faults
        self._clock = clock
        self._key = key

    def app(self) -> web.Application:
        """Return what answers at api.fal.ai."""
        app = web.Application()
        listing = self._faults.guard("listing", self._checked(self._list))
        app.add_routes([web.get("/v1/models/requests/by-endpoint", listing)])
        return app

    def _checked(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if key_error(request, self._key, "missing"):
                return _error(401, "authorization_error", "Authentication required").build()
            try:
                return await handler(request)
            except BadQueryError as problem:
                return _error(400, "validation_error", str(problem)).build()

        return checked

    async def _list(self, request: web.Request) -> web.StreamResponse:
        take = self._faults.take
        if take("listing_unavailable"):
            return _error(403, "authorization_error", "Access denied").build()
        query = Query.read(request.query, self._clock.to_datetime())
        if take("listing_more_without_cursor"):
            return _page([], has_more=True, next_cursor=None)
        if "cursor" not in request.query and take("listing_cursor_without_more"):
            return _page([], has_more=False, next_cursor=cursor_at(0))
        jobs = self._matching_jobs(query)
        shown = jobs[query.offset : query.offset + query.limit]
        after = query.offset + len(shown)
        has_more = after < len(jobs)
        with_payloads = query.with_payloads and not take("listing_without_payloads")
        items = [describe(job, self._clock, with_payloads) for job in shown]
        shapes = [change for fault, change in SHAPES.items() if with_payloads and take(fault)]
        for change in shapes:
            for item in items:
                change(item)
        return _page(items, has_more=has_more, next_cursor=cursor_at(after) if has_more else None)

    def _matching_jobs(self, query: Query) -> list[Job]:
        shows_running = self._faults.take("listing_shows_running")
        if self._faults.take("request_removed"):
            return []
        jobs = [
            job
            for job in self._jobs.jobs.values()
            if (shows_running or job.response) and query.matches(job, self._moment(job))
        ]
        return sorted(jobs, key=query.order, reverse=True)

    def _moment(self, job: Job) -> datetime:
        return self._clock.to_datetime(job.ended_at or job.sent_at)


def _page(items: list[dict[str, Any]], *, has_more: bool, next_cursor: str | None) -> web.Response:
    return web.json_response({"items": items, "has_more": has_more, "next_cursor": next_cursor})


def _error(status: int, kind: str, message: str) -> CannedResponse:
    return platform_error(status, kind, message, f"req_{uuid4().hex}")
