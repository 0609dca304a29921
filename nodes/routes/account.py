"""Over HTTP: the key, which goes in and is never told, what is spent, and the budget."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from ...vidu.credentials import KEY_FILE, find_key, forget_key, parse_key, store_key
from ...vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from ...vidu.errors import MissingKeyError, ViduError
from ...vidu.ledger import open_ledger
from ...vidu.settings import Settings, store_daily_budget
from .http import MOST_TEXT, api_handler, bad_request, json_response, read_json


class AccountRoutes:
    """What Settings > Vidu and the head of the library ask for.

    Args:
        data_dir: The private folder of ledger, settings and key.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def register(self, table: web.RouteTableDef) -> None:
        """Add every route to the table."""
        table.get("/vidu/state")(api_handler(self.state))
        table.post("/vidu/key")(api_handler(self.store_key))
        table.delete("/vidu/key")(api_handler(self.remove_key))
        table.post("/vidu/key/check")(api_handler(self.check_key))
        table.post("/vidu/budget")(api_handler(self.store_budget))

    async def state(self, _: web.Request) -> web.Response:
        """Return whether there is a key and from where, what is spent, and the budget."""
        return json_response(await self._state())

    async def store_key(self, request: web.Request) -> web.Response:
        """Take the key that was typed; it is never told again."""
        typed = (await read_json(request)).get("key")
        if not isinstance(typed, str) or len(typed) > MOST_TEXT:
            raise bad_request("key must be a text.")
        secret = parse_key(typed, "the key field")
        await asyncio.to_thread(store_key, self._data_dir, secret)
        return json_response(await self._state())

    async def remove_key(self, _: web.Request) -> web.Response:
        """Remove the stored key."""
        await asyncio.to_thread(forget_key, self._data_dir)
        return json_response(await self._state())

    async def check_key(self, request: web.Request) -> web.Response:
        """Ask fal whether it accepts the key: a status request, which is free."""
        from ...vidu.fal.client import Fal

        await read_json(request)
        secret = find_key(self._data_dir).secret
        async with Fal(secret, Settings.load(self._data_dir)) as fal:
            await fal.check_key()
        return json_response({"accepted": True})

    async def store_budget(self, request: web.Request) -> web.Response:
        """Set the daily budget in US dollars; 0 lifts it."""
        usd = (await read_json(request)).get("daily_usd")
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd <= 1e6:
            raise bad_request("daily_usd must be a number from 0 to 1000000.")
        await asyncio.to_thread(store_daily_budget, self._data_dir, Decimal(str(usd)))
        return json_response(await self._state())

    async def _state(self) -> dict[str, Any]:
        async with open_ledger(self._data_dir) as ledger:
            today, month = await ledger.spent_today(), await ledger.spent_this_month()
        return {
            "key": self._key_state(),
            "price_usd": float(VIDU_IMAGE_TO_VIDEO.quote({}, {}).usd),
            "today_usd": float(today),
            "month_usd": float(month),
            "daily_budget_usd": float(Settings.load(self._data_dir).daily_budget_usd),
            "budget_is_fixed": bool(os.environ.get("VIDU_DAILY_BUDGET_USD", "").strip()),
        }

    def _key_state(self) -> dict[str, Any]:
        stored = (self._data_dir / KEY_FILE).exists()
        state = {"configured": False, "source": None, "stored": stored, "problem": None}
        try:
            return {**state, "configured": True, "source": find_key(self._data_dir).source}
        except MissingKeyError:
            return state
        except ViduError as error:
            return {**state, "problem": str(error)}
