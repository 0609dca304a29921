"""`python -m vidu ledger | spend`: what was paid for.

`python -m vidu ledger merge FILES` takes over what was paid for on other machines.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ledger.ledger import LEDGER_FILE, Ledger
from ..ledger.merge import Outcome, merge
from ..models import Entry
from ..settings import Settings

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands to the parser."""
    listing = commands.add_parser("ledger", parents=[shared], help="list every request")
    listing.add_argument("--json", action="store_true", help="one JSON object for each row")
    listing.set_defaults(run=run_list)
    merging = listing.add_subparsers(metavar="[merge]").add_parser(
        "merge", help="take over the rows of other machines' ledgers"
    )
    merging.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a ledger.sqlite")
    merging.add_argument("--clips", type=Path, help="where those machines' clips are now")
    # Suppressed: a default here would go before what was said in front of `merge`.
    merging.add_argument(
        "--home", type=Path, default=argparse.SUPPRESS, help="folder of the ledger they come into"
    )
    merging.set_defaults(run=run_merge)

    spend = commands.add_parser("spend", parents=[shared], help="sums for today and this month")
    spend.add_argument("--json", action="store_true", help="one JSON object")
    spend.set_defaults(run=run_spend)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the rows, newest first."""
    with Ledger.open(arguments.home) as ledger:
        for entry in ledger.entries():
            print(json.dumps(_row(entry)) if arguments.json else line(entry))
    return 0


def run_merge(arguments: argparse.Namespace) -> int:
    """Merge other ledgers into this one, say what their rows came to; return 1 for refused ones."""
    refused = 0
    for file in arguments.files:
        counts = merge(arguments.home / LEDGER_FILE, file, clips=arguments.clips)
        told = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        print(f"{file}: {told}", flush=True)
        refused += counts[Outcome.REFUSED]
    if refused:
        print(
            "Refused are rows that cannot be read, or whose addresses are not fal's: the key "
            "would go there.",
            file=sys.stderr,
        )
    return 1 if refused else 0


def run_spend(arguments: argparse.Namespace) -> int:
    """Print the sums; a clip whose fate is open counts as spent."""
    budget = Settings.load(arguments.home).daily_budget_usd
    with Ledger.open(arguments.home) as ledger:
        today, month = ledger.spent_today(), ledger.spent_this_month()
    if arguments.json:
        sums = {"today_usd": float(today), "month_usd": float(month)}
        print(json.dumps({**sums, "daily_budget_usd": float(budget) or None}))
        return 0
    print(f"today       ${today:.2f}" + (f" of ${budget:.2f}" if budget else ""))
    print(f"this month  ${month:.2f}")
    return 0


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
