"""api.fal.ai: the listing of requests, prices, the balance."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from aiohttp import web

from .auth import key_problem
from .faults import Faults, Handler
from .history import MOST_IDS, BadQuery, Query, cursor_at, id_list, item
from .jobs import PRICE_USD, JobQueue
from .responses import Answer, platform_error
from .runner import SCHEMAS

USERNAME = "local-fal"
FIRST_BALANCE_USD = 100.0
CALLS = "historical_api_price"


class Platform:
    """The platform API.

    Args:
        book: The jobs it tells of.
        faults: What goes wrong.
        key: The account's key.
    """

    def __init__(self, book: JobQueue, faults: Faults, key: str) -> None:
        self._book = book
        self._faults = faults
        self._key = key

    def app(self) -> web.Application:
        """Return what answers at api.fal.ai."""
        app = web.Application()
        guard = self._faults.guard
        listing = guard("listing", self._checked(self._history))
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

    async def _history(self, request: web.Request) -> web.StreamResponse:
        if self._faults.take("listing_unavailable"):
            return _error(403, "authorization_error", "Access denied").response()
        query = Query.read(request.query)
        shows_payloads = query.with_payloads and not self._faults.take("listing_without_payloads")
        shows_running = self._faults.take("listing_shows_running")
        jobs = [job for job in self._book.jobs.values() if query.matches(job, shows_running)]
        jobs.sort(key=query.order, reverse=True)
        page = jobs[query.offset : query.offset + query.limit]
        after = query.offset + len(page)
        has_more = after < len(jobs)
        body = {
            "items": [item(job, shows_payloads) for job in page],
            "next_cursor": cursor_at(after) if has_more else None,
            "has_more": has_more,
        }
        return web.json_response(body)

    async def _pricing(self, request: web.Request) -> web.StreamResponse:
        endpoints = id_list(request.query, "endpoint_id")
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
        if "credits" in id_list(request.query, "expand"):
            spent = PRICE_USD * sum(job.billed for job in self._book.jobs.values())
            balance = round(FIRST_BALANCE_USD - spent, 6)
            account["credits"] = {"current_balance": balance, "currency": "USD"}
        return web.json_response(account)


def _unknown(endpoints: list[str]) -> Answer | None:
    unknown = [name for name in endpoints if name not in SCHEMAS]
    if not unknown:
        return None
    return _error(404, "not_found", f"Endpoint not found: {', '.join(unknown)}")


def _error(status: int, kind: str, message: str) -> Answer:
    return platform_error(status, kind, message, f"req_{uuid4().hex}")
