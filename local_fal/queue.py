"""queue.fal.run and fal.run: submit, status, result, cancel; and the call that waits."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, NoReturn
from uuid import uuid4

from aiohttp import web

from .auth import key_problem, lock
from .faults import Faults
from .jobs import Job, JobQueue
from .responses import Answer, detail, drop, infrastructure_error, nginx, silence
from .status import QUEUE_HOST, receipt_of, status_of

APP = "fal-ai/vidu"
ASKED = ("1", "true")
NOT_FOUND = Answer(404, {"status": "NOT_FOUND"})
TOO_EARLY = detail(400, "Request is still in progress")
KEEP_ALIVE_S = 15.0
LOOK_S = 0.1
SLOW_ACCEPT_S = 3.0
LEAST_TIMEOUT_S = 0.1


class Queue:
    """The queue.

    Args:
        book: Where accepted jobs go.
        faults: What goes wrong.
        key: The account's key.
    """

    def __init__(self, book: JobQueue, faults: Faults, key: str) -> None:
        self._book = book
        self._faults = faults
        self._key = key

    def app(self) -> web.Application:
        """Return what answers at queue.fal.run."""
        request = "/{owner}/{app}/requests/{request_id}"
        guard = self._faults.guard
        result = guard("result", self._result)
        submit = guard("submit", self._submit)
        app = web.Application(client_max_size=100 * 1024**2)
        app.add_routes(
            [
                web.get(request, result),
                web.get(f"{request}/response", result),
                web.get(f"{request}/status", guard("status", self._status)),
                web.get(f"{request}/status/stream", self._stream),
                web.put(f"{request}/cancel", guard("cancel", self._cancel)),
                # Only owner and app: with the rest of the endpoint's path fal answers 405.
                web.route("*", "/{owner}/{app}/{path:.+}/requests/{rest:.+}", _not_allowed),
                web.post("/{owner}/{app}", submit),
                web.post("/{owner}/{app}/{path:(?!requests/).+}", submit),
            ]
        )
        return app

    def direct_app(self) -> web.Application:
        """Return what answers at fal.run."""
        app = web.Application(client_max_size=100 * 1024**2)
        app.add_routes([web.post("/{owner}/{app}{path:.*}", self._run_and_wait)])
        return app

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        problem = self._refusal(request)
        if problem:
            return problem.response()
        if self._faults.take("submit_307"):
            raise web.HTTPTemporaryRedirect(f"https://queue.falrun.com{request.path_qs}")
        longest = request.query.get("fal_max_queue_length", "")
        if longest.isdecimal() and self._book.waiting > int(longest):
            return detail(429, "The queue is too long.").response()
        job = await self._job(request)
        if isinstance(job, Answer):
            return job.response()
        ahead = self._book.waiting
        self._book.accept(job)
        return await self._receipt(request, job, ahead)

    def _refusal(self, request: web.Request) -> Answer | None:
        owner, app = request.match_info["owner"], request.match_info["app"]
        missing = f'Cannot access application "{owner}/{app}"'
        problem = key_problem(request, self._key, missing) or lock(self._faults)
        if problem:
            return problem
        if f"{owner}/{app}" != APP:
            return detail(404, f'Application "{app}" not found')
        return None

    async def _job(self, request: web.Request) -> Job | Answer:
        timeout = request.headers.get("X-Fal-Request-Timeout")
        try:
            given = await request.json()
            seconds = None if timeout is None else float(timeout)
        except ValueError:
            return infrastructure_error("bad_request")
        if seconds is not None and not seconds > LEAST_TIMEOUT_S:
            return infrastructure_error("bad_request")
        return Job(
            request_id=str(uuid4()),
            endpoint=request.path.strip("/"),
            input=given,
            faults=self._faults.take_for_job(),
            start_timeout_s=seconds,
            keeps_payload=request.headers.get("X-Fal-Store-IO") != "0",
        )

    async def _receipt(self, request: web.Request, job: Job, ahead: int) -> web.StreamResponse:
        take = self._faults.take
        if take("accepted_then_dropped"):
            await drop(request)
        if take("accepted_but_silent"):
            await silence()
        if take("accepted_then_500"):
            return infrastructure_error("internal_error").response()
        if take("accepted_then_502"):
            return nginx(502, "Bad Gateway").response()
        if take("accepted_then_504"):
            return nginx(504, "Gateway Time-out").response()
        if take("slow_accept"):
            await asyncio.sleep(SLOW_ACCEPT_S)
        host = "queue.example.com" if take("accepted_strange_urls") else QUEUE_HOST
        body = receipt_of(job, ahead, host)
        if take("accepted_unreadable"):
            text = json.dumps(body)
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        return web.json_response(body, headers={"x-fal-request-id": job.request_id})

    async def _status(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, Answer):
            return job.response()
        if self._faults.take("status_expired"):
            return NOT_FOUND.response()
        job.polls.append(time.time())
        code = 200 if job.state == "COMPLETED" else 202
        body = self._status_of(job, request)
        return web.json_response(body, status=code, headers={"x-fal-request-id": job.request_id})

    def _status_of(self, job: Job, request: web.Request) -> dict[str, Any]:
        wants_logs = request.query.get("logs") in ASKED
        ahead = self._book.position(job) if job.state == "IN_QUEUE" else None
        return status_of(job, ahead, wants_logs)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, Answer):
            return job.response()
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        sent, quiet = None, 0.0
        while True:
            body = self._status_of(job, request)
            if body != sent:
                await stream.write(b"data: " + json.dumps(body).encode() + b"\n\n")
                sent, quiet = body, 0.0
            if job.state == "COMPLETED":
                return stream
            if quiet >= KEEP_ALIVE_S:
                await stream.write(b": keep-alive\n\n")
                quiet = 0.0
            await asyncio.sleep(LOOK_S)
            quiet += LOOK_S

    async def _result(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, Answer):
            return job.response()
        if self._faults.take("result_expired"):
            return NOT_FOUND.response()
        if job.answer is None or self._faults.take("result_early"):
            return TOO_EARLY.response()
        job.results += 1
        return job.answer.response({"x-fal-request-id": job.request_id})

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, Answer):
            return job.response()
        job.cancels += 1
        if job.state == "COMPLETED":
            return web.json_response({"status": "ALREADY_COMPLETED"}, status=400)
        waited = job.state == "IN_QUEUE"
        self._book.cancel(job)
        if waited:
            return web.json_response({"status": "OK"})
        return web.json_response({"status": "CANCELLATION_REQUESTED"}, status=202)

    def _find(self, request: web.Request) -> Job | Answer:
        app = f"{request.match_info['owner']}/{request.match_info['app']}"
        problem = key_problem(request, self._key, f'Cannot access application "{app}"')
        if problem:
            return problem
        job = self._book.jobs.get(request.match_info["request_id"])
        return job if job and job.app == app else NOT_FOUND

    async def _run_and_wait(self, request: web.Request) -> web.StreamResponse:
        problem = self._refusal(request)
        if problem:
            return problem.response()
        if self._book.is_full:
            text = "Too many concurrent requests."
            body = {"detail": text, "error_type": "concurrent_requests_limit"}
            return Answer(429, body, {"X-Fal-needs-retry": "1"}).response()
        job = await self._job(request)
        if isinstance(job, Answer):
            return job.response()
        self._book.accept(job)
        try:
            await job.ended.wait()
        except asyncio.CancelledError:
            # Without a queue, leaving is cancelling.
            self._book.cancel(job)
            raise
        assert job.answer is not None
        return job.answer.response({"x-fal-request-id": job.request_id})


async def _not_allowed(request: web.Request) -> NoReturn:
    raise web.HTTPMethodNotAllowed(request.method, [])
