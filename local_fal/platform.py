"""api.fal.ai: the listing of requests, prices, the balance."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from aiohttp import web

from .answers import Answer, platform_error
from .auth import key_problem
from .faults import Faults, Handler
from .jobs import PRICE_USD, Job, JobBook
from .runner import SCHEMAS

USERNAME = "local-fal"
FIRST_BALANCE_USD = 100.0
DEFAULT_LIMIT, MOST_LIMIT = 50, 100
MOST_IDS = 50
CALLS = "historical_api_price"


class BadQuery(Exception):
    """The query is not one the platform takes; its text says why."""


class Platform:
    """The platform API.

    Args:
        book: The jobs it tells of.
        faults: What goes wrong.
        key: The account's key.
    """

    def __init__(self, book: JobBook, faults: Faults, key: str) -> None:
        self._book = book
        self._faults = faults
        self._key = key

    def app(self) -> web.Application:
        """Return what answers at api.fal.ai."""
        app = web.Application()
        guard = self._faults.guard
        listing = guard("listing", self._checked(self._listing))
        pricing = guard("pricing", self._checked(self._pricing))
        app.add_routes(
            [
                web.get("/v1/models/requests/by-endpoint", listing),
                web.get("/v1/models/pricing", pricing),
                web.post("/v1/models/pricing/estimate", self._checked(self._estimate)),
                web.get("/v1/account/billing", self._checked(self._billing)),
            ]
        )
        return app

    def _checked(self, handler: Handler) -> Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            if key_problem(request, self._key, "missing"):
                return _error(401, "authorization_error", "Authentication required").response()
            try:
                return await handler(request)
            except BadQuery as problem:
                return _error(400, "validation_error", str(problem)).response()

        return checked

    async def _listing(self, request: web.Request) -> web.StreamResponse:
        if self._faults.take("listing_unavailable"):
            return _error(403, "authorization_error", "Access denied").response()
        query = Query.read(request.query)
        shows_running = self._faults.take("listing_shows_running")
        jobs = [job for job in self._book.jobs.values() if query.matches(job, shows_running)]
        jobs.sort(key=query.order, reverse=True)
        page = jobs[query.offset : query.offset + query.limit]
        after = query.offset + len(page)
        has_more = after < len(jobs)
        body = {
            "items": [_item(job, query.with_payloads) for job in page],
            "next_cursor": _cursor(after) if has_more else None,
            "has_more": has_more,
        }
        return web.json_response(body)

    async def _pricing(self, request: web.Request) -> web.StreamResponse:
        endpoints = _list(request.query, "endpoint_id")
        if not endpoints or len(endpoints) > MOST_IDS:
            raise BadQuery("endpoint_id: between 1 and 50 ids")
        unknown = _unknown(endpoints)
        if unknown:
            return unknown.response()
        prices = [
            {"endpoint_id": name, "unit_price": PRICE_USD, "unit": "videos", "currency": "USD"}
            for name in endpoints
        ]
        return web.json_response({"prices": prices, "next_cursor": None, "has_more": False})

    async def _estimate(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.json()
            kind, endpoints = body["estimate_type"], body["endpoints"]
            counted = "call_quantity" if kind == CALLS else "unit_quantity"
            total = sum(asked[counted] for asked in endpoints.values()) * PRICE_USD
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise BadQuery("estimate_type and endpoints are required") from problem
        unknown = _unknown(list(endpoints))
        if unknown:
            return unknown.response()
        estimate = {"estimate_type": kind, "total_cost": total, "currency": "USD"}
        return web.json_response(estimate)

    async def _billing(self, request: web.Request) -> web.StreamResponse:
        if self._faults.take("billing_forbidden"):
            return _error(403, "authorization_error", "Admin API key required").response()
        account: dict[str, Any] = {"username": USERNAME}
        if "credits" in _list(request.query, "expand"):
            spent = PRICE_USD * sum(job.billed for job in self._book.jobs.values())
            balance = round(FIRST_BALANCE_USD - spent, 6)
            account["credits"] = {"current_balance": balance, "currency": "USD"}
        return web.json_response(account)


@dataclass(frozen=True)
class Query:
    """What of the listing is asked for."""

    endpoints: list[str]
    request_ids: list[str]
    statuses: list[str]
    start: datetime
    end: datetime
    by_duration: bool
    with_payloads: bool
    limit: int
    offset: int

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Query:
        """Read it from the query string.

        Raises:
            BadQuery: It is not one.
        """
        endpoints, request_ids = _list(query, "endpoint_id"), _list(query, "request_id")
        limit = query.get("limit", str(DEFAULT_LIMIT))
        if not 1 <= len(endpoints) <= MOST_IDS or len(request_ids) > MOST_IDS:
            raise BadQuery("endpoint_id: between 1 and 50 ids; request_id: up to 50")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST_LIMIT:
            raise BadQuery("limit: between 1 and 100")
        now = datetime.now(timezone.utc)
        window = timedelta(days=90) if request_ids else timedelta(hours=24)
        end = _moment(query, "end", now + timedelta(seconds=1))
        return cls(
            endpoints=endpoints,
            request_ids=request_ids,
            statuses=_list(query, "status"),
            start=_moment(query, "start", now - window),
            end=end,
            by_duration=query.get("sort_by") == "duration",
            with_payloads="payloads" in _list(query, "expand"),
            limit=int(limit),
            offset=_offset(query.get("cursor")),
        )

    def matches(self, job: Job, shows_running: bool) -> bool:
        """Tell whether a job is among what is asked for; by its end, as the listing is sorted."""
        if job.answer is None and not shows_running:
            return False
        moment = _time(job.ended_at or job.sent_at)
        return (
            job.endpoint in self.endpoints
            and (not self.request_ids or job.request_id in self.request_ids)
            and (not self.statuses or _status_of(job) in self.statuses)
            and self.start <= moment < self.end
        )

    def order(self, job: Job) -> float:
        """Return what a job is sorted by, the largest first."""
        return job.duration_s if self.by_duration else job.ended_at or job.sent_at


def _item(job: Job, with_payloads: bool) -> dict[str, Any]:
    item = {
        "request_id": job.request_id,
        "endpoint_id": job.endpoint,
        "sent_at": _iso(job.sent_at),
        "started_at": _iso(job.started_at),
        "ended_at": _iso(job.ended_at),
        "status_code": job.answer.status if job.answer else None,
        "duration": job.duration_s if job.answer else None,
    }
    if not with_payloads:
        return item
    output = job.answer.body if job.answer else None
    kept = {"json_input": job.input, "json_output": output}
    return item | (kept if job.keeps_payload else dict.fromkeys(kept))


def _status_of(job: Job) -> str | None:
    if job.answer is None:
        return None
    return {2: "success", 4: "user_error"}.get(job.answer.status // 100, "error")


def _unknown(endpoints: list[str]) -> Answer | None:
    unknown = [name for name in endpoints if name not in SCHEMAS]
    if not unknown:
        return None
    return _error(404, "not_found", f"Endpoint not found: {', '.join(unknown)}")


def _error(status: int, kind: str, message: str) -> Answer:
    return platform_error(status, kind, message, f"req_{uuid4().hex}")


def _list(query: Mapping[str, str], name: str) -> list[str]:
    return [item.strip() for item in query.get(name, "").split(",") if item.strip()]


def _moment(query: Mapping[str, str], name: str, default: datetime) -> datetime:
    text = query.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise BadQuery(f"{name}: an ISO 8601 date and time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("offset:"))
    except (binascii.Error, ValueError):
        raise BadQuery("cursor: not one of ours") from None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else _time(seconds).isoformat()
