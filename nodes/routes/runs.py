"""The routes of running jobs, and of what became of a cancelled prompt."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from ...vidu.ledger import open_ledger
from ...vidu.models import Entry, State
from .. import host
from .http import Threads, api_handler, bad_request, json_response, read_json
from .prices import Prices

OUTCOME_PATIENCE_S = 8.0
"""fal is asked to cancel for at most five seconds; then the ledger knows what became of it."""

MAX_NODES = 5000
ENGLISH = Path(__file__).resolve().parents[2] / "locales" / "en" / "main.json"

OUTCOMES = {
    State.SUBMITTING: "unknown",
    State.SUBMITTED: "running",
    State.CANCELLED: "unknown",
    State.FINISHED: "finished",
    State.SAVED: "saved",
}


class RunRoutes:
    """What nodes show before, during and after a run.

    Args:
        data_dir: The private folder of ledger, settings and key.
        threads: Where files and the ledger are read.
        prices: What tells prices of graphs.
    """

    def __init__(self, data_dir: Path, threads: Threads, prices: Prices) -> None:
        self._data_dir = data_dir
        self._threads = threads
        self._prices = prices

    def register(self, table: web.RouteTableDef, slots: asyncio.Semaphore) -> None:
        """Add every route to the table; `slots` are shared by those that read the ledger."""
        table.get("/vidu/jobs")(api_handler(self.get_jobs))
        table.get("/vidu/outcome")(api_handler(self.get_outcome))
        table.get("/vidu/texts")(api_handler(self.get_texts))
        table.post("/vidu/prices")(api_handler(self.get_prices, slots))

    async def get_jobs(self, _: web.Request) -> web.Response:
        """Return what is in progress; `vidu.jobs` on the socket tells of each change."""
        return json_response({"jobs": host.jobs().current()})

    async def get_outcome(self, request: web.Request) -> web.Response:
        """Return what became of each shot of a cancelled prompt: ?prompt_id=."""
        prompt_id = request.query.get("prompt_id", "")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + OUTCOME_PATIENCE_S
        # The run has an event loop of its own, in another thread.
        while host.jobs().is_running(prompt_id) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        nodes = {
            ended.run.node_id: await self._outcomes(ended.fingerprints)
            for ended in host.jobs().ended(prompt_id)
        }
        return json_response({"nodes": nodes})

    async def get_texts(self, _: web.Request) -> web.Response:
        """Return the English texts of the editor, for where the host's /i18n fails."""
        texts = await self._threads.run(ENGLISH.read_text, encoding="utf-8")
        return json_response(json.loads(texts)["vidu"])

    async def get_prices(self, request: web.Request) -> web.Response:
        """Return what the next run of each node costs: {"prompt": the graph in API format}."""
        prompt = (await read_json(request)).get("prompt")
        if not isinstance(prompt, dict) or len(prompt) > MAX_NODES:
            raise bad_request("The prompt must be a graph in API format.")
        return json_response({"prices": await self._prices.of_graph(prompt)})

    async def _outcomes(self, fingerprints: tuple[str, ...]) -> list[dict[str, Any]]:
        async with open_ledger(self._data_dir) as ledger:
            return [_outcome(await ledger.active(fingerprint)) for fingerprint in fingerprints]


def _outcome(entry: Entry | None) -> dict[str, Any]:
    # A shot with none but failed rows: nothing was sent, or fal took it out of its queue.
    if entry is None or entry.state is State.RESERVED:
        return {"outcome": "free", "usd": 0.0}
    return {"outcome": OUTCOMES[entry.state], "usd": float(entry.price_usd)}
