"""`python -m vidu batch`: a manifest of shots into clips, resumed by running it again."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..budget import BudgetedLedger
from ..contact_sheet import Card, write_contact_sheet
from ..desk import open_desk
from ..errors import ViduError
from ..generate import Clip, generate
from ..ledger import LEDGER_FILE, Ledger
from ..platform import Platform
from ..progress import Progress
from ..settings import Settings
from .output import as_json, named, placed
from .plan import Job, Shard, Standing, plan, standings
from .tally import Tally

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

CONTACT_SHEET = "contact_sheet.html"


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "batch",
        parents=[shared],
        help="a manifest of shots into clips",
        description="Make every clip of a manifest. Stopped or failed, run it again: what is "
        "there is free, and only the rest is made.",
    )
    parser.add_argument(
        "manifest",
        metavar="MANIFEST",
        type=Path,
        help="CSV, JSONL or YAML: image, prompt, and maybe seed, movement_amplitude, out",
    )
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the clips")
    parser.add_argument(
        "--concurrency", metavar="N", type=_count, default=8, help="shots at once (default 8)"
    )
    parser.add_argument("--budget", metavar="USD", type=_usd, help="most that this run may spend")
    parser.add_argument(
        "--shard", metavar="I/N", type=_shard, default=Shard(), help="only this part of N"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is new, what is paid, what it will cost"
    )
    parser.add_argument("--draft", action="store_true", help="free, local, no key, no network")
    parser.add_argument(
        "--contact-sheet", action="store_true", help=f"write {CONTACT_SHEET} beside the clips"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object for each shot")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the clips; return 0, or 1 when one is missing."""
    settings = Settings.load(arguments.home)
    jobs = plan(arguments.manifest, arguments.shard)
    if arguments.dry_run:
        return _tell_plan(jobs, arguments)
    return asyncio.run(_make_all(jobs, settings, arguments))


def _tell_plan(jobs: Sequence[Job], arguments: argparse.Namespace) -> int:
    with Ledger.open(arguments.home) as ledger:
        found = standings(jobs, ledger)
    for job, standing in zip(jobs, found, strict=True):
        cost_usd = job.price_usd if standing is Standing.NEW else Decimal(0)
        facts = {**_about(job), "standing": standing.value, "cost_usd": float(cost_usd)}
        line = f"{standing.value:<10}  ${cost_usd:.2f}  {job.name}  {job.row.prompt[:40]!r}"
        print(json.dumps(facts) if arguments.json else line)
    total_usd = sum(
        (
            job.price_usd
            for job, standing in zip(jobs, found, strict=True)
            if standing is Standing.NEW
        ),
        Decimal(0),
    )
    if not arguments.json:
        counts = ", ".join(f"{found.count(standing)} {standing.value}" for standing in Standing)
        print(f"{len(jobs)} clips: {counts}. To pay: ${total_usd:.2f}")
    return 0


async def _make_all(jobs: Sequence[Job], settings: Settings, arguments: argparse.Namespace) -> int:
    turns = asyncio.Semaphore(arguments.concurrency)
    async with _open_desk(settings, arguments) as (platform, ledger):
        with Tally(len(jobs)) as tally:

            async def one(job: Job) -> Clip | ViduError:
                async with turns:
                    result = await _made(job, platform, ledger, settings, arguments.out, tally)
                _tell(job, result, tally, in_json=arguments.json)
                return result

            results = await asyncio.gather(*(one(job) for job in jobs))
    if arguments.contact_sheet:
        cards = [_card(job, result) for job, result in zip(jobs, results, strict=True)]
        sheet = arguments.out.absolute() / CONTACT_SHEET
        write_contact_sheet(sheet, arguments.manifest.name, cards)
        tally.say(f"contact sheet: {sheet}")
    return 0 if tally.done == tally.total else 1


async def _made(
    job: Job,
    platform: Platform,
    ledger: Ledger,
    settings: Settings,
    folder: Path,
    tally: Tally,
) -> Clip | ViduError:
    names = named(folder, job.name)

    def tell(progress: Progress) -> None:
        if progress.warning:
            tally.say(f"{job.name}: {progress.text}")

    try:
        clip = await generate(
            await asyncio.to_thread(job.request),
            platform,
            ledger,
            names,
            settings=settings,
            tell=tell,
            cancelled_by_artist=lambda: True,
        )
        return await asyncio.to_thread(placed, clip, names)
    except ViduError as error:
        return error


def _tell(job: Job, result: Clip | ViduError, tally: Tally, *, in_json: bool) -> None:
    if isinstance(result, ViduError):
        tally.failure(f"{job.name}: {result}")
        if in_json:
            tally.print(json.dumps({**_about(job), "error": str(result)}))
        return
    tally.clip(result.cost_usd)
    facts = {**_about(job), **as_json(result)}
    tally.print(json.dumps(facts) if in_json else str(result.path))


def _about(job: Job) -> dict[str, Any]:
    row = job.row
    return {
        "row": row.number,
        "name": job.name,
        "image": str(row.image),
        "prompt": row.prompt,
        "seed": row.seed,
        "movement_amplitude": row.movement_amplitude,
    }


def _card(job: Job, result: Clip | ViduError) -> Card:
    row = job.row
    clip = result if isinstance(result, Clip) else None
    return Card(
        name=job.name,
        prompt=row.prompt,
        facts=f"seed {row.seed or 'by Vidu'}, {row.movement_amplitude}",
        clip=clip.path if clip else None,
        failure=None if clip else str(result),
    )


@asynccontextmanager
async def _open_desk(
    settings: Settings, arguments: argparse.Namespace
) -> AsyncIterator[tuple[Platform, Ledger]]:
    home = arguments.home
    async with open_desk(home, settings, draft=arguments.draft) as (platform, ledger):
        if arguments.budget is None or arguments.draft:
            yield platform, ledger
            return
        with BudgetedLedger(home / LEDGER_FILE, arguments.budget) as budgeted:
            yield platform, budgeted


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 9999")
    return int(text)


def _usd(text: str) -> Decimal:
    try:
        usd = Decimal(text)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or usd < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no sum in dollars")
    return usd


def _shard(text: str) -> Shard:
    index, slash, count = text.partition("/")
    if not slash or not 1 <= _count(index) <= _count(count):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N")
    return Shard(int(index), int(count))
