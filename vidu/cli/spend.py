"""`vidu spend`: sums for today and this month."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..ledger import open_ledger
from ..pricing import format_usd
from ..settings import Settings
from ._arguments import add_json, read_options
from ._output import print_result

if TYPE_CHECKING:
    import argparse

    from ._arguments import Commands


@dataclass(frozen=True)
class Options:
    """The options of `spend`, under their own names."""

    home: Path
    json: bool


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "spend", parents=[shared], help="sums for today and this month (UTC)"
    )
    add_json(parser)
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Print the sums; a clip whose fate is open counts as spent. Days begin at midnight UTC."""
    budget = Settings.load(options.home).daily_budget_usd
    today, month = asyncio.run(_read_sums(options.home))
    if options.json:
        sums = {"today_usd": float(today), "month_usd": float(month)}
        print_result(json.dumps({**sums, "daily_budget_usd": float(budget) or None}))
        return 0
    of_budget = f" of {format_usd(budget)}" if budget else ""
    print_result(f"today       {format_usd(today)}{of_budget}")
    print_result(f"this month  {format_usd(month)}")
    return 0


async def _read_sums(data_dir: Path) -> tuple[Decimal, Decimal]:
    async with open_ledger(data_dir) as ledger:
        return await ledger.spent_today(), await ledger.spent_this_month()
