"""`vidu ledger`: what was paid for, and the care of the ledger itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ledger import Outcome, UnreadableEntry, ignore_ledger, open_ledger
from ..models import Entry
from ..pricing import format_usd
from ._arguments import add_json, read_options
from ._output import print_result

if TYPE_CHECKING:
    from ._arguments import Commands


@dataclass(frozen=True)
class Options:
    """The arguments of `ledger`, under their own names."""

    home: Path
    json: bool


@dataclass(frozen=True)
class IgnoreOptions:
    """What `ledger ignore` was told; the name is that of its argument."""

    files: list[Path]


@dataclass(frozen=True)
class ImportOptions:
    """The arguments of `ledger import`, under their own names."""

    home: Path
    files: list[Path]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the commands to the parser."""
    listing = commands.add_parser("ledger", parents=[shared], help="list every request")
    add_json(listing)
    listing.set_defaults(run=lambda namespace: run_list(read_options(Options, namespace)))
    _add_actions(listing)


def run_list(options: Options) -> int:
    """Print the rows, newest first."""
    for entry in asyncio.run(_read_entries(options.home)):
        print_result(json.dumps(_row(entry)) if options.json else line(entry))
    return 0


def run_init(options: Options) -> int:
    """Open the ledger, which makes what is missing of it, and say where it is."""
    print_result(asyncio.run(_open(options.home)))
    return 0


def run_ignore(options: IgnoreOptions) -> int:
    """Go on without other ledgers that are gone for good."""
    for file in options.files:
        ignore_ledger(file)
        print_result(f"ignored {file}")
    return 0


def run_accept_loss(options: Options) -> int:
    """Take a ledger that lost rows for complete again."""
    asyncio.run(_accept_loss(options.home))
    return 0


def run_import(options: ImportOptions) -> int:
    """Add the rows of other ledgers, and say what became of them; return 1 for refused ones."""
    refused = 0
    for file in options.files:
        counts = asyncio.run(_import(options.home, file))
        told = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)
        print_result(f"{file}: {told}")
        refused += counts[Outcome.REFUSED]
    if refused:
        print(
            "Refused are rows that cannot be read, or whose addresses are not fal's: the key "
            "would go there.",
            file=sys.stderr,
        )
    return 1 if refused else 0


def _add_actions(listing: argparse.ArgumentParser) -> None:
    actions = listing.add_subparsers(metavar="[init | import | accept-loss | ignore]")
    init = actions.add_parser("init", help="make the ledger, and say where it is")
    init.set_defaults(run=lambda namespace: run_init(read_options(Options, namespace)))
    accept_loss = actions.add_parser(
        "accept-loss",
        help="go on after rows were lost",
        description="A damaged ledger that may have lost rows refuses new shots, because they may "
        "have been paid for. Look at fal.ai/dashboard/requests first; this lifts the refusal.",
    )
    accept_loss.set_defaults(
        run=lambda namespace: run_accept_loss(read_options(Options, namespace))
    )
    ignoring = actions.add_parser(
        "ignore",
        help="go on without another ledger that is gone for good",
        description="A shot is refused while another ledger of yours on this machine, which has "
        "paid for something, is not there: the shot may have been paid for in it. This lifts the "
        "refusal.",
    )
    ignoring.add_argument("files", metavar="FILE", nargs="+", type=Path, help="its ledger.sqlite")
    ignoring.set_defaults(run=lambda namespace: run_ignore(read_options(IgnoreOptions, namespace)))
    importing = actions.add_parser("import", help="add the rows of another ledger's file")
    importing.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a ledger.sqlite")
    importing.set_defaults(run=lambda namespace: run_import(read_options(ImportOptions, namespace)))
    for action in (init, accept_loss, importing):
        # Suppressed: a default here would replace what was said in front of the action.
        action.add_argument(
            "--home", type=Path, default=argparse.SUPPRESS, help="folder of the ledger"
        )


async def _read_entries(data_dir: Path) -> list[Entry | UnreadableEntry]:
    async with open_ledger(data_dir) as ledger:
        return await ledger.entries()


async def _open(data_dir: Path) -> str:
    async with open_ledger(data_dir) as ledger:
        return ledger.place


async def _import(data_dir: Path, file: Path) -> Counter[Outcome]:
    async with open_ledger(data_dir) as ledger:
        return await ledger.import_file(file)


async def _accept_loss(data_dir: Path) -> None:
    async with open_ledger(data_dir) as ledger:
        await ledger.accept_loss()


def line(entry: Entry | UnreadableEntry) -> str:
    """Return a row as a line of text."""
    if isinstance(entry, UnreadableEntry):
        return f"{entry.id:>6}  cannot be read: {entry.reason}"
    moment = datetime.fromtimestamp(entry.reserved_at).strftime("%Y-%m-%d %H:%M:%S")
    words = str(entry.file.path) if entry.file else (entry.failure or entry.request_id)
    return (
        f"{entry.id:>6}  {moment}  {entry.state.value:<9}  {format_usd(entry.price_usd)}  "
        f"{entry.prompt[:40]!r}  {words}"
    )


def _row(entry: Entry | UnreadableEntry) -> dict[str, Any]:
    if isinstance(entry, UnreadableEntry):
        return {"id": entry.id, "unreadable": entry.reason}
    return {
        "id": entry.id,
        "fingerprint": entry.fingerprint,
        "endpoint": entry.endpoint,
        "state": entry.state.value,
        "prompt": entry.prompt,
        "seed": entry.used_seed,
        **entry.options,
        "price_usd": float(entry.price_usd),
        "billed": entry.billed,
        "request_id": entry.request_id or None,
        "file_path": str(entry.file.path) if entry.file else None,
        "failure": entry.failure,
        "host": entry.host,
        "reserved_at": entry.reserved_at,
        "submitted_at": entry.submitted_at,
        "cancelled_at": entry.cancelled_at,
        "finished_at": entry.finished_at,
        "saved_at": entry.saved_at,
        "failed_at": entry.failed_at,
    }
