"""The routes of the key, the money spent and the budget."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from ...vidu.credentials import Secret, find_key, forget_key, key_path, parse_key, store_key
from ...vidu.errors import (
    BudgetExceededError,
    CredentialError,
    InvalidSettingError,
    MissingKeyError,
    RateLimitedError,
    ServiceError,
    ViduError,
)
from ...vidu.ledger import Budget, Spending, open_ledger
from ...vidu.settings import Settings, store_daily_budget
from .http import MAX_TEXT_LENGTH, Threads, api_handler, bad_request, json_response, read_json

MAX_BUDGET_USD = 1_000_000


class AccountRoutes:
    """What Settings > Vidu and the head of the library ask for.

    Args:
        data_dir: The private folder of ledger, settings and key.
        threads: Where files and the ledger are read.
    """

    def __init__(self, data_dir: Path, threads: Threads) -> None:
        self._data_dir = data_dir
        self._threads = threads

    def register(self, table: web.RouteTableDef, slots: asyncio.Semaphore) -> None:
        """Add every route to the table; `slots` are shared by those that read the ledger."""
        table.get("/vidu/state")(api_handler(self.get_state, slots))
        table.post("/vidu/key")(api_handler(self.store_key))
        table.delete("/vidu/key")(api_handler(self.remove_key))
        table.post("/vidu/key/check")(api_handler(self.check_key))
        table.post("/vidu/budget")(api_handler(self.store_budget))
        table.post("/vidu/accept-loss")(api_handler(self.accept_loss))

    async def get_state(self, _: web.Request) -> web.Response:
        """Return whether there is a key and from where, what is spent, and the budget."""
        return json_response(await self._state())

    async def store_key(self, request: web.Request) -> web.Response:
        """Store the key that was typed, once fal has accepted it; it is never told again.

        A key that fal refuses is not stored. Where fal cannot be asked it is stored unchecked,
        and the response says so.
        """
        typed = (await read_json(request)).get("key")
        if not isinstance(typed, str) or len(typed) > MAX_TEXT_LENGTH:
            raise bad_request("The key must be a text.")
        secret = parse_key(typed, "the field")
        try:
            await self._check(secret)
            checked = True
        except RateLimitedError:
            checked = True  # fal knows whose limit it is
        except ServiceError:
            checked = False
        warning = await self._threads.run(store_key, self._data_dir, secret)
        return json_response(await self._state(checked=checked, warning=warning))

    async def remove_key(self, _: web.Request) -> web.Response:
        """Remove the stored key."""
        await self._threads.run(forget_key, self._data_dir)
        return json_response(await self._state())

    async def check_key(self, request: web.Request) -> web.Response:
        """Ask fal whether it accepts the key that is used: a status request, which is free."""
        await read_json(request)
        found = await self._threads.run(find_key, self._data_dir)
        await self._check(found.secret)
        return json_response({"accepted": True})

    async def store_budget(self, request: web.Request) -> web.Response:
        """Set the daily budget in US dollars; 0 lifts it."""
        usd = (await read_json(request)).get("daily_usd")
        if isinstance(usd, bool) or not isinstance(usd, int | float):
            usd = -1
        if not 0 <= usd <= MAX_BUDGET_USD:
            raise bad_request("The daily budget must be an amount from $0 to $1,000,000.")
        async with open_ledger(self._data_dir) as ledger:
            own_usd = Decimal(str(usd))
            if ledger.is_shared:
                await ledger.store_daily_budget(own_usd)
                own_usd = Decimal(0)  # of two limits the lower one counts
        await self._threads.run(store_daily_budget, self._data_dir, own_usd)
        return json_response(await self._state())

    async def accept_loss(self, request: web.Request) -> web.Response:
        """Take a ledger that lost rows for complete again: the user has looked for them."""
        await read_json(request)
        async with open_ledger(self._data_dir) as ledger:
            await ledger.accept_loss()
        return json_response(await self._state())

    async def _check(self, secret: Secret) -> None:
        from ...vidu.fal.client import Fal  # not before it is needed: importing it takes time

        settings = await self._threads.run(Settings.load, self._data_dir)
        async with Fal(secret, settings) as fal:
            await fal.check_key()

    async def _state(self, *, checked: bool = False, warning: str | None = None) -> dict[str, Any]:
        async with open_ledger(self._data_dir) as ledger:
            today, month = await ledger.spending_today(), await ledger.spending_this_month()
            incomplete, shared_usd = await ledger.is_incomplete(), await ledger.daily_budget()
        settings = await self._threads.run(Settings.load, self._data_dir)
        budget = Budget(settings.daily_budget_usd).lowered_to(shared_usd)
        key = await self._threads.run(self._key_state)
        return {
            "key": {**key, "checked": checked, "warning": warning},
            "today": _sums_to_json(today),
            "month": _sums_to_json(month),
            "daily_budget_usd": float(budget.daily_usd),
            "ledger_is_incomplete": incomplete,
            "budget_is_fixed": bool(os.environ.get("VIDU_DAILY_BUDGET_USD", "").strip()),
        }

    def _key_state(self) -> dict[str, Any]:
        stored = key_path(self._data_dir).exists()
        state = {"configured": False, "source": None, "stored": stored, "problem": None}
        try:
            return {**state, "configured": True, "source": find_key(self._data_dir).source}
        except MissingKeyError:
            return state
        except ViduError as error:
            return {**state, "problem": str(error)}


async def find_refusal(data_dir: Path, threads: Threads, usd: Decimal) -> str | None:
    """Return why a run would be refused, to be told before the user confirms the sum; or None.

    Args:
        data_dir: The private folder of ledger, settings and key.
        threads: Where the key and the settings are read.
        usd: The least that the run costs.
    """
    try:
        await threads.run(find_key, data_dir)
        async with open_ledger(data_dir) as ledger:
            today, shared_usd = await ledger.spending_today(), await ledger.daily_budget()
        settings = await threads.run(Settings.load, data_dir)
        budget = Budget(settings.daily_budget_usd).lowered_to(shared_usd)
        budget.check_day(usd, today.most_usd, now=None)
    except BudgetExceededError as error:
        return error.message  # without the next step: the library shows the budget's field
    except (CredentialError, InvalidSettingError) as error:
        return str(error)
    return None


def _sums_to_json(spending: Spending) -> dict[str, float]:
    return {"usd": float(spending.usd), "open_usd": float(spending.open_usd)}
