"""What the web extension asks the server for."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from .account import AccountRoutes
from .http import Threads
from .library import ClipRoutes
from .runs import RunRoutes

THREADS = 4


def register_routes(table: web.RouteTableDef, data_dir: Path) -> None:
    """Add every route of the pack.

    Args:
        table: The host's routes.
        data_dir: The private folder of ledger, settings and key.
    """
    threads = Threads(THREADS, "vidu-routes")
    AccountRoutes(data_dir, threads).register(table)
    ClipRoutes(data_dir, threads).register(table)
    RunRoutes(data_dir, threads).register(table)
