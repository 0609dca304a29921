"""`vidu spend`: sums for today and this month."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ..ledger import Budget, Spending, open_ledger
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
    """Print the sums; days begin at midnight UTC."""
    own = Budget(Settings.load(options.home).daily_budget_usd)
    today, month, shared_usd = asyncio.run(_read_sums(options.home))
    budget = own.lowered_to(shared_usd).daily_usd
    if options.json:
        sums = {"today_usd": float(today.most_usd), "month_usd": float(month.most_usd)}
        known = {"today_known_usd": float(today.usd), "month_known_usd": float(month.usd)}
        print_result(json.dumps({**sums, **known, "daily_budget_usd": float(budget) or None}))
        return 0
    of_budget = f" of {format_usd(budget)}" if budget else ""
    print_result(f"today       {_in_words(today)}{of_budget}")
    print_result(f"this month  {_in_words(month)}")
    return 0


async def _read_sums(data_dir: Path) -> tuple[Spending, Spending, Decimal]:
    async with open_ledger(data_dir) as ledger:
        spent = await ledger.spending_today(), await ledger.spending_this_month()
        return *spent, await ledger.daily_budget()


def _in_words(spending: Spending) -> str:
    if not spending.open_usd:
        return format_usd(spending.usd)
    if not spending.usd:
        return f"{format_usd(spending.open_usd)}?"
    return f"{format_usd(spending.usd)}, up to {format_usd(spending.most_usd)}"
