"""The routes that the web extension calls."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from .account import AccountRoutes
from .http import Threads
from .library import ClipRoutes
from .prices import Prices
from .runs import RunRoutes

THREADS = 2
AT_ONCE = 1


def register_routes(table: web.RouteTableDef, data_dir: Path) -> None:
    """Add every route of the pack.

    Args:
        table: The host's routes.
        data_dir: The private folder of ledger, settings and key.
    """
    threads = Threads(THREADS, "vidu-routes")
    slots = asyncio.Semaphore(AT_ONCE)
    AccountRoutes(data_dir, threads).register(table, slots)
    prices = Prices(data_dir, threads)
    ClipRoutes(data_dir, threads, prices).register(table, slots)
    RunRoutes(data_dir, threads, prices).register(table, slots)
