"""`vidu spend`: sums for today and this month."""

from __future__ import annotations

import argparse
import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..ledger import open_ledger
from ..settings import Settings

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "spend", parents=[shared], help="sums for today and this month (UTC)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
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
