"""The state of one local fal, and its record of requests; `GET /__ledger` shows it."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web

from .clips import ClipSpec
from .clock import ServerClock
from .faults import Faults, Handler
from .jobs import JobQueue
from .media import CDN_HOSTS, Media
from .platform import Platform
from .queue import Queue
from .runner import Runner
from .storage import Storage

RENDERERS = 2


class ServerState:
    """Everything one fal holds.

    Args:
        key: The one key it takes.
        generation_seconds: How long a job runs at least.
        concurrency: How many run at once.
        spec: How clips differ from what was asked for.
        folder: Where its files are kept.
    """

    def __init__(
        self, key: str, generation_seconds: float, concurrency: int, spec: ClipSpec, folder: Path
    ) -> None:
        self._pool = ThreadPoolExecutor(RENDERERS, thread_name_prefix="local_fal")
        media = Media(folder)
        runner = Runner(media, spec, generation_seconds, self._pool)
        self._jobs = JobQueue(runner.run, concurrency)
        self._requests: list[dict[str, Any]] = []
        self._refused: list[str] = []
        self.clock = ServerClock()
        self.faults = Faults()
        self.queue = Queue(self._jobs, self.faults, key)
        self.storage = Storage(media, self.faults, key)
        self.platform = Platform(self._jobs, self.faults, self.clock, key)

    def app(self) -> web.Application:
        """Return what answers plain HTTP: the record, and the switches."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/__ledger", self._show),
                web.post("/__faults", self._replace_faults),
                web.post("/__clock", self._set_clock),
                web.post("/__reset", self._reset),
            ]
        )
        return app

    def close(self) -> None:
        """End what still runs."""
        self._jobs.clear()
        self._pool.shutdown(cancel_futures=True)

    def refuse(self, authority: str) -> None:
        """Record a host that was asked for and is not fal's."""
        self._refused.append(authority)

    @web.middleware
    async def record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record a request, and give an error of aiohttp's own the form of fal's."""
        entry = {
            "at": time.time(),
            "method": request.method,
            "host": request.host,
            "path": request.path_qs,
            "authorization": request.headers.get("Authorization", "").partition(" ")[0],
            "status": None,
        }
        self._requests.append(entry)
        try:
            response = await handler(request)
        except web.HTTPError as problem:
            response = web.json_response({"detail": problem.reason}, status=problem.status)
        except web.HTTPRedirection as redirection:
            entry["status"] = redirection.status
            raise
        entry["status"] = response.status
        return response

    async def _show(self, _: web.Request) -> web.Response:
        jobs = [job.entry() for job in self._jobs.jobs.values()]
        ledger = {
            "jobs": jobs,
            "counts": _counts(self._requests) | {"jobs": len(jobs)},
            "most_running": self._jobs.most_running,
            "billed_usd": round(sum(job["price_usd"] for job in jobs if job["billed"]), 6),
            "requests": self._requests,
            "refused": self._refused,
        }
        return web.json_response(ledger)

    async def _replace_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults.replace((await request.json())["faults"])
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            return web.json_response({"detail": str(problem)}, status=400)
        return web.json_response({})

    async def _set_clock(self, request: web.Request) -> web.Response:
        self.clock.skew_s = float((await request.json())["skew_s"])
        return web.json_response({})

    async def _reset(self, _: web.Request) -> web.Response:
        self._jobs.clear()
        self._requests.clear()
        self._refused.clear()
        self.faults.replace("")
        self.clock.skew_s = 0.0
        return web.json_response({})


def _counts(requests: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = Counter(_kind(request) for request in requests)
    names = ("polls", "results", "cancels", "uploads", "downloads", "listings")
    submits = Counter(entry["host"] for entry in requests if _kind(entry) == "submits")
    return {name: kinds[name] for name in names} | {"submits": dict(submits)}


def _kind(request: dict[str, Any]) -> str:
    """Return the kind of a request; "" for one that is not counted."""
    method, host = request["method"], request["host"]
    path = request["path"].partition("?")[0]
    if host in CDN_HOSTS:
        return {"POST": "uploads", "GET": "downloads"}.get(method, "")
    if path.endswith("/requests/by-endpoint"):
        return "listings"
    if "/requests/" in path:
        last = path.rpartition("/")[2]
        return {"status": "polls", "cancel": "cancels"}.get(last, "results")
    return "submits" if method == "POST" and host.startswith("queue.") else ""
