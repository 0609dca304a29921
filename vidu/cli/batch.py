"""`python -m vidu batch`: a manifest of shots into clips, resumed by running it again."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..destination import Destination
from ..errors import Charge, SaveError, ViduError
from ..generate import generate
from ..ledger import Budget, open_ledger
from ..models import Clip
from ..progress import Progress, ProgressCallback
from ..session import open_session
from ..settings import Settings
from ._batch_plan import Job, PlanStatus, Shard, plan, plan_statuses
from ._batch_progress import BatchProgress
from ._contact_sheet import SheetItem, write_contact_sheet
from ._gather import gather_all
from ._output import as_json, copy_to, prepare
from ._signals import run_stoppable

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
        return _print_plan(jobs, arguments)
    prepare(arguments.out)
    results = run_stoppable(
        lambda by_user: _make_all(jobs, settings, arguments, by_user),
        None if arguments.draft else arguments.home,
    )
    if arguments.contact_sheet:
        _write_sheet(jobs, results, arguments)
    return 0 if all(isinstance(result, Clip) for result in results) else 1


def _print_plan(jobs: Sequence[Job], arguments: argparse.Namespace) -> int:
    found = asyncio.run(_plan_statuses(jobs, arguments.home))
    for job, standing in zip(jobs, found, strict=True):
        cost_usd = job.price_usd if standing is PlanStatus.NEW else Decimal(0)
        facts = {**_about(job), "standing": standing.value, "cost_usd": float(cost_usd)}
        line = f"{standing.value:<10}  ${cost_usd:.2f}  {job.name}  {job.row.prompt[:40]!r}"
        print(json.dumps(facts) if arguments.json else line)
    if not arguments.json:
        counts = ", ".join(f"{found.count(standing)} {standing.value}" for standing in PlanStatus)
        print(f"{len(jobs)} clips: {counts}. To pay: {_to_pay(jobs, found)}")
    return 0


async def _plan_statuses(jobs: Sequence[Job], data_dir: Path) -> list[PlanStatus]:
    async with open_ledger(data_dir) as ledger:
        return await plan_statuses(jobs, ledger)


def _to_pay(jobs: Sequence[Job], found: Sequence[PlanStatus]) -> str:
    prices = {
        standing: sum(
            (job.price_usd for job, its in zip(jobs, found, strict=True) if its is standing),
            Decimal(0),
        )
        for standing in PlanStatus
    }
    new = prices[PlanStatus.NEW]
    if not prices[PlanStatus.UNFINISHED]:
        return f"${new:.2f}"
    most = new + prices[PlanStatus.UNFINISHED]
    return f"${new:.2f}, or up to ${most:.2f} where fal has not made what is unfinished"


async def _make_all(
    jobs: Sequence[Job],
    settings: Settings,
    arguments: argparse.Namespace,
    by_user: Callable[[], bool],
) -> list[Clip | ViduError]:
    turns = asyncio.Semaphore(arguments.concurrency)
    budget = Budget(settings.daily_budget_usd, arguments.budget)
    async with open_session(arguments.home, settings, draft=arguments.draft) as (provider, ledger):
        with BatchProgress(len(jobs)) as tally:

            async def one(job: Job) -> Clip | ViduError:
                destination = Destination(arguments.out, job.name)
                result: Clip | ViduError
                try:
                    async with turns:
                        clip = await generate(
                            await asyncio.to_thread(job.request),
                            provider,
                            ledger,
                            destination,
                            settings=settings,
                            on_progress=_callback_for(job, tally),
                            cancelled_by_user=by_user,
                            budget=budget,
                        )
                        result = await asyncio.to_thread(copy_to, destination, clip)
                except ViduError as error:
                    result = error
                _report(job, result, tally, json_response=arguments.json)
                return result

            shots = [one(job) for job in jobs]
            return await gather_all(shots, [job.name for job in jobs], tally.say)


def _callback_for(job: Job, tally: BatchProgress) -> ProgressCallback:
    def on_progress(progress: Progress) -> None:
        if progress.warning:
            tally.say(f"{job.name}: {progress.text}")

    return on_progress


def _report(
    job: Job, result: Clip | ViduError, tally: BatchProgress, *, json_response: bool
) -> None:
    if isinstance(result, ViduError):
        tally.failure(f"{job.name}: {result}")
        if json_response:
            tally.print(json.dumps({**_about(job), "error": str(result)}))
        return
    tally.clip(result.cost_usd)
    facts = {**_about(job), **as_json(result)}
    tally.print(json.dumps(facts) if json_response else str(result.path))


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


def _write_sheet(
    jobs: Sequence[Job], results: Sequence[Clip | ViduError], arguments: argparse.Namespace
) -> None:
    sheet = arguments.out.absolute() / CONTACT_SHEET
    cards = [_sheet_item(job, result) for job, result in zip(jobs, results, strict=True)]
    try:
        write_contact_sheet(sheet, arguments.manifest.name, cards)
    except OSError as error:
        raise SaveError(
            f"{sheet} could not be written ({error.strerror}).", charge=Charge.EACH_ITS_OWN
        ) from error
    print(f"contact sheet: {sheet}", file=sys.stderr)


def _sheet_item(job: Job, result: Clip | ViduError) -> SheetItem:
    row = job.row
    clip = result if isinstance(result, Clip) else None
    return SheetItem(
        name=job.name,
        prompt=row.prompt,
        facts=f"seed {row.seed or 'by Vidu'}, {row.movement_amplitude}",
        clip=clip.path if clip else None,
        failure=None if clip else str(result),
    )


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
