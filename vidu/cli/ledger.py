"""`python -m vidu ledger | spend`: what was paid for."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ledger import open_ledger
from ..models import Entry
from ..settings import Settings

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands to the parser."""
    listing = commands.add_parser("ledger", parents=[shared], help="list every request")
    listing.add_argument("--json", action="store_true", help="one JSON object for each row")
    listing.set_defaults(run=run_list)

    spend = commands.add_parser("spend", parents=[shared], help="sums for today and this month")
    spend.add_argument("--json", action="store_true", help="one JSON object")
    spend.set_defaults(run=run_spend)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the rows, newest first."""
    for entry in asyncio.run(_read_entries(arguments.home)):
        print(json.dumps(_row(entry)) if arguments.json else line(entry))
    return 0


async def _read_entries(data_dir: Path) -> list[Entry]:
    async with open_ledger(data_dir) as ledger:
        return await ledger.entries()


def run_spend(arguments: argparse.Namespace) -> int:
    """Print the sums; a clip whose fate is open counts as spent. Days begin at midnight UTC."""
    budget = Settings.load(arguments.home).daily_budget_usd
    today, month = asyncio.run(_read_sums(arguments.home))
    if arguments.json:
        sums = {"today_usd": float(today), "month_usd": float(month)}
        print(json.dumps({**sums, "daily_budget_usd": float(budget) or None}))
        return 0
    print(f"today       ${today:.2f}" + (f" of ${budget:.2f}" if budget else ""))
    print(f"this month  ${month:.2f}")
    return 0


async def _read_sums(data_dir: Path) -> tuple[Decimal, Decimal]:
    async with open_ledger(data_dir) as ledger:
        return await ledger.spent_today(), await ledger.spent_this_month()


def line(entry: Entry) -> str:
    """Return a row as a line of text."""
    moment = datetime.fromtimestamp(entry.reserved_at).strftime("%Y-%m-%d %H:%M:%S")
    words = str(entry.file.path) if entry.file else (entry.failure or entry.request_id)
    return (
        f"{entry.id:>6}  {moment}  {entry.state.value:<9}  ${entry.price_usd:.2f}  "
        f"{entry.prompt[:40]!r}  {words}"
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "fingerprint": entry.fingerprint,
        "endpoint": entry.endpoint,
        "state": entry.state.value,
        "prompt": entry.prompt,
        "seed": entry.seed,
        **entry.options,
        "price_usd": float(entry.price_usd),
        "billed": entry.billed,
        "request_id": entry.request_id or None,
        "file_path": str(entry.file.path) if entry.file else None,
        "failure": entry.failure,
        "reserved_at": entry.reserved_at,
        "submitted_at": entry.submitted_at,
        "cancelled_at": entry.cancelled_at,
        "finished_at": entry.finished_at,
        "saved_at": entry.saved_at,
        "failed_at": entry.failed_at,
    }
