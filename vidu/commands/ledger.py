"""`python -m vidu ledger | resume | spend | forget`: what was paid for, and what is still owed.

`python -m vidu ledger merge FILES` takes over what was paid for on other machines.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..desk import open_desk
from ..entry import Entry
from ..errors import InvalidSetting, ViduError
from ..generate import collect
from ..ledger import LEDGER_FILE, Ledger
from ..ledger_merge import Outcome, merge
from ..run import numbered_names
from ..settings import Settings
from .bars import Bars
from .output import as_json

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
    merging.add_argument("--home", type=Path, default=argparse.SUPPRESS)
    merging.set_defaults(run=run_merge)

    resume = commands.add_parser("resume", parents=[shared], help="collect what is unfinished")
    resume.add_argument("--out", type=Path, default=Path(), help="folder for the clips")
    resume.add_argument("--json", action="store_true", help="one JSON object for each clip")
    resume.set_defaults(run=run_resume)

    spend = commands.add_parser("spend", parents=[shared], help="sums for today and this month")
    spend.add_argument("--json", action="store_true", help="one JSON object")
    spend.set_defaults(run=run_spend)

    forget = commands.add_parser("forget", parents=[shared], help="remove rows")
    forget.add_argument(
        "names",
        metavar="ID",
        nargs="+",
        help="row, request id, or 8 or more digits of the fingerprint",
    )
    forget.add_argument("--files", action="store_true", help="remove the kept clips as well")
    forget.set_defaults(run=run_forget)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the rows, newest first."""
    with Ledger.open(arguments.home) as ledger:
        for entry in ledger.entries():
            print(json.dumps(_row(entry)) if arguments.json else _line(entry))
    return 0


def run_merge(arguments: argparse.Namespace) -> int:
    """Merge other ledgers into this one, and say what their rows came to."""
    for file in arguments.files:
        counts = merge(arguments.home / LEDGER_FILE, file, clips=arguments.clips)
        told = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        print(f"{file}: {told}")
    return 0


def run_resume(arguments: argparse.Namespace) -> int:
    """Collect every clip fal may still owe; return 1 when one could not be had."""
    return asyncio.run(_resume(arguments, Settings.load(arguments.home)))


def run_spend(arguments: argparse.Namespace) -> int:
    """Print the sums; a clip whose fate is open counts as spent."""
    budget = Settings.load(arguments.home).daily_budget_usd
    with Ledger.open(arguments.home) as ledger:
        today, month = ledger.spent_today(), ledger.spent_this_month()
    if arguments.json:
        sums = {"today_usd": today, "month_usd": month, "daily_budget_usd": budget or None}
        print(json.dumps({name: sum and float(sum) for name, sum in sums.items()}))
        return 0
    print(f"today       ${today:.2f}" + (f" of ${budget:.2f}" if budget else ""))
    print(f"this month  ${month:.2f}")
    return 0


def run_forget(arguments: argparse.Namespace) -> int:
    """Remove rows; the clips stay unless --files is given."""
    with Ledger.open(arguments.home) as ledger:
        for name in arguments.names:
            entries = ledger.find(name)
            if not entries:
                raise InvalidSetting(f"The ledger has no row {name}.", "List them with `ledger`.")
            for entry in entries:
                if arguments.files and entry.file:
                    entry.file.path.unlink(missing_ok=True)
                ledger.forget(entry)
                print(f"forgot {_line(entry)}")
    return 0


async def _resume(arguments: argparse.Namespace, settings: Settings) -> int:
    async with open_desk(arguments.home, settings) as (platform, ledger):
        entries = ledger.unfinished()
        bars = Bars([_label(entry) for entry in entries])

        async def one(index: int) -> bool:
            entry = entries[index]
            names = numbered_names(arguments.out, f"resumed_{entry.id}")
            try:
                clip = await collect(
                    entry, platform, ledger, names, settings=settings, tell=bars.teller(index)
                )
            except ViduError as error:
                bars.say(f"{_label(entry)}: {error}")
                return False
            print(json.dumps(as_json(clip)) if arguments.json else clip.path, flush=True)
            return True

        with bars:
            done = await asyncio.gather(*(one(index) for index in range(len(entries))))
    return 0 if all(done) else 1


def _label(entry: Entry) -> str:
    return f"{entry.id} {entry.prompt[:16]}"


def _line(entry: Entry) -> str:
    moment = datetime.fromtimestamp(entry.intended_at).strftime("%Y-%m-%d %H:%M:%S")
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
        "intended_at": entry.intended_at,
        "submitted_at": entry.submitted_at,
        "cancelled_at": entry.cancelled_at,
        "finished_at": entry.finished_at,
        "kept_at": entry.kept_at,
        "failed_at": entry.failed_at,
    }
