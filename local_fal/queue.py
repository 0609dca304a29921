"""queue.fal.run: submit, status, result, cancel."""

from __future__ import annotations

import asyncio
import json
import time
from typing import NoReturn
from uuid import uuid4

from aiohttp import web

from .auth import key_error, locked_account_error
from .catalog import APP
from .connection import drip, drop, hang
from .faults import Faults
from .jobs import Job, JobQueue
from .responses import CannedResponse, error_detail, infrastructure_error, nginx_page
from .status import QUEUE_HOST, status_of, submit_reply

TRUE = ("1", "true")
NOT_FOUND = CannedResponse(404, {"status": "NOT_FOUND"})
TOO_EARLY = error_detail(400, "Request is still in progress")
SLOW_S = 3.0
LEAST_TIMEOUT_S = 0.1


class Queue:
    """The queue.

    Args:
        jobs: Where accepted jobs go.
        faults: What goes wrong.
        key: The account's key.
    """

    def __init__(self, jobs: JobQueue, faults: Faults, key: str) -> None:
        self._jobs = jobs
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
                web.put(f"{request}/cancel", guard("cancel", self._cancel)),
                # Only owner and app: with the rest of the endpoint's path fal answers 405.
                web.route("*", "/{owner}/{app}/{path:.+}/requests/{rest:.+}", _not_allowed),
                web.post("/{owner}/{app}", submit),
                web.post("/{owner}/{app}/{path:(?!requests/).+}", submit),
            ]
        )
        return app

    async def _submit(self, request: web.Request) -> web.StreamResponse:
        problem = self._refusal(request)
        if problem:
            return problem.build()
        if self._faults.take("submit_307"):
            raise web.HTTPTemporaryRedirect(f"https://queue.falrun.com{request.path_qs}")
        longest = request.query.get("fal_max_queue_length", "")
        if longest.isdecimal() and self._jobs.waiting > int(longest):
            return error_detail(429, "The queue is too long.").build()
        job = await self._read_job(request)
        if isinstance(job, CannedResponse):
            return job.build()
        ahead = self._jobs.waiting
        self._jobs.accept(job)
        return await self._reply(request, job, ahead)

    def _refusal(self, request: web.Request) -> CannedResponse | None:
        owner, app = request.match_info["owner"], request.match_info["app"]
        missing = f'Cannot access application "{owner}/{app}"'
        problem = key_error(request, self._key, missing) or locked_account_error(self._faults)
        if problem:
            return problem
        if f"{owner}/{app}" != APP:
            return error_detail(404, f'Application "{app}" not found')
        return None

    async def _read_job(self, request: web.Request) -> Job | CannedResponse:
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
            user_agent=request.headers.get("User-Agent", ""),
        )

    async def _reply(self, request: web.Request, job: Job, ahead: int) -> web.StreamResponse:
        take = self._faults.take
        if take("accepted_then_dropped"):
            await drop(request)
        if take("accepted_but_silent"):
            await hang()
        if take("accepted_then_500"):
            return infrastructure_error("internal_error").build()
        if take("accepted_then_502"):
            return nginx_page(502, "Bad Gateway").build()
        if take("accepted_then_504"):
            return nginx_page(504, "Gateway Time-out").build()
        if take("slow_accept"):
            await asyncio.sleep(SLOW_S)
        host = "queue.example.com" if take("accepted_strange_urls") else QUEUE_HOST
        body = submit_reply(job, ahead, host)
        first = submit_reply(next(iter(self._jobs.jobs.values())), ahead, host)
        if take("accepted_as_first"):
            body = first
        if take("accepted_urls_of_first"):
            body = first | {"request_id": job.request_id}
        if take("accepted_unreadable"):
            text = json.dumps(body)
            return web.Response(text=text[: len(text) // 2], content_type="application/json")
        response = web.json_response(body, headers={"x-fal-request-id": job.request_id})
        return await drip(request, response) if take("accepted_drip") else response

    async def _status(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, CannedResponse):
            return job.build()
        if self._faults.take("status_expired"):
            return NOT_FOUND.build()
        job.polls.append(time.time())
        code = 200 if job.state == "COMPLETED" else 202
        ahead = self._jobs.position(job) if job.state == "IN_QUEUE" else None
        body = status_of(job, ahead, request.query.get("logs") in TRUE)
        return web.json_response(body, status=code, headers={"x-fal-request-id": job.request_id})

    async def _result(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, CannedResponse):
            return job.build()
        if self._faults.take("result_expired"):
            return NOT_FOUND.build()
        if job.response is None or self._faults.take("result_early"):
            return TOO_EARLY.build()
        job.results += 1
        return job.response.build({"x-fal-request-id": job.request_id})

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        if isinstance(job, CannedResponse):
            return job.build()
        job.cancels += 1
        if self._faults.take("slow_cancel"):
            # It takes effect although the client may have left by then.
            asyncio.get_running_loop().call_later(SLOW_S, self._jobs.cancel, job)
            await asyncio.sleep(SLOW_S)
        if job.state == "COMPLETED":
            return web.json_response({"status": "ALREADY_COMPLETED"}, status=400)
        was_waiting = job.state == "IN_QUEUE"
        self._jobs.cancel(job)
        if was_waiting:
            return web.json_response({"status": "OK"})
        return web.json_response({"status": "CANCELLATION_REQUESTED"}, status=202)

    def _find(self, request: web.Request) -> Job | CannedResponse:
        app = f"{request.match_info['owner']}/{request.match_info['app']}"
        problem = key_error(request, self._key, f'Cannot access application "{app}"')
        if problem:
            return problem
        job = self._jobs.jobs.get(request.match_info["request_id"])
        if job is None or job.app != app or self._faults.take("request_removed"):
            return NOT_FOUND
        return job


async def _not_allowed(request: web.Request) -> NoReturn:
    raise web.HTTPMethodNotAllowed(request.method, [])
