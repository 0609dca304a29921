"""`vidu batch`: a manifest of shots into clips, resumed by running it again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..destination import Destination
from ..errors import ViduError
from ..generate import generate
from ..ledger import Budget, open_ledger
from ..models import Clip
from ..pricing import format_usd
from ..progress import Phase, Progress, ProgressCallback
from ..session import open_session
from ..settings import Settings
from ._arguments import add_draft, add_json, add_out, parse_count, parse_usd, read_options
from ._batch_plan import Job, PlanStatus, plan, plan_statuses
from ._batch_progress import BatchProgress
from ._contact_sheet import CONTACT_SHEET, SheetItem, save_contact_sheet
from ._gather import gather_all
from ._output import as_json, check_output_folder, copy_to, print_notice, print_result
from ._signals import run_stoppable

if TYPE_CHECKING:
    import argparse

    from ._arguments import Commands


@dataclass(frozen=True)
class Options:
    """The arguments of `batch`, under their own names."""

    home: Path
    manifest: Path
    out: Path
    concurrency: int
    budget: Decimal | None
    dry_run: bool
    draft: bool
    contact_sheet: bool
    json: bool


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "batch",
        parents=[shared],
        help="a manifest of shots into clips",
        description="Make every clip of a manifest. When it was stopped or a shot failed, run it "
        "again: what is there is free, and only the rest is made.",
    )
    parser.add_argument("manifest", metavar="MANIFEST", type=Path, help="CSV, JSONL or YAML")
    add_out(parser)
    parser.add_argument(
        "--concurrency", metavar="N", type=parse_count, default=8, help="shots at once (default 8)"
    )
    parser.add_argument(
        "--budget", metavar="USD", type=parse_usd, help="the most that this run may spend"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what is new, what is paid, what it will cost"
    )
    add_draft(parser)
    parser.add_argument(
        "--contact-sheet", action="store_true", help=f"write {CONTACT_SHEET}, a page of all clips"
    )
    add_json(parser)
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Make the clips; return 0, or 1 when one is missing."""
    settings = Settings.load(options.home)
    jobs = plan(options.manifest, print_notice)
    if options.dry_run:
        return _print_plan(jobs, options)
    check_output_folder(options.out)
    results = run_stoppable(
        lambda by_user: _make_all(jobs, settings, options, by_user),
        None if options.draft else options.home,
    )
    if options.contact_sheet:
        items = [_sheet_item(job, result) for job, result in zip(jobs, results, strict=True)]
        save_contact_sheet(options.out, options.manifest.name, items)
    return 0 if all(isinstance(result, Clip) for result in results) else 1


def _print_plan(jobs: Sequence[Job], options: Options) -> int:
    found = asyncio.run(_plan_statuses(jobs, options.home))
    for job, status in zip(jobs, found, strict=True):
        cost_usd = job.price_usd if status is PlanStatus.NEW else Decimal(0)
        facts = {**_facts(job), "status": status.value, "cost_usd": float(cost_usd)}
        prompt = job.shot.spec.prompt[:40]
        line = f"{status.value:<10}  {format_usd(cost_usd)}  {job.name}  {prompt!r}"
        print_result(json.dumps(facts) if options.json else line)
    if not options.json:
        counts = ", ".join(f"{found.count(status)} {status.value}" for status in PlanStatus)
        print_result(f"{len(jobs)} clips: {counts}. To pay: {_to_pay(jobs, found)}")
    return 0


async def _plan_statuses(jobs: Sequence[Job], data_dir: Path) -> list[PlanStatus]:
    async with open_ledger(data_dir) as ledger:
        return await plan_statuses(jobs, ledger)


def _to_pay(jobs: Sequence[Job], found: Sequence[PlanStatus]) -> str:
    prices = {
        status: sum(
            (job.price_usd for job, its in zip(jobs, found, strict=True) if its is status),
            Decimal(0),
        )
        for status in PlanStatus
    }
    new = prices[PlanStatus.NEW]
    if not prices[PlanStatus.UNFINISHED]:
        return format_usd(new)
    most = new + prices[PlanStatus.UNFINISHED]
    return (
        f"{format_usd(new)}, or up to {format_usd(most)} where fal has not made what is unfinished"
    )


async def _make_all(
    jobs: Sequence[Job],
    settings: Settings,
    options: Options,
    by_user: Callable[[], bool],
) -> list[Clip | ViduError]:
    """Make all shots: first those that no other run is at work on, then wait for the others'."""
    semaphore = asyncio.Semaphore(options.concurrency)
    budget = Budget(settings.daily_budget_usd, options.budget)
    async with open_session(options.home, settings, draft=options.draft) as (provider, ledger):
        with BatchProgress(len(jobs)) as progress:

            async def make(job: Job, *, may_wait: bool) -> Clip | ViduError | None:
                destination = Destination(options.out, job.name)
                result: Clip | ViduError
                try:
                    async with semaphore:
                        clip = await generate(
                            await asyncio.to_thread(job.build_request),
                            provider,
                            ledger,
                            destination,
                            settings=settings,
                            on_progress=_callback_for(job, progress, may_wait=may_wait),
                            cancelled_by_user=by_user,
                            budget=budget,
                        )
                        result = await asyncio.to_thread(copy_to, destination, clip)
                except ShotTakenError:
                    return None
                except ViduError as error:
                    result = error
                _report(job, result, progress, in_json=options.json)
                return result

            names = [job.name for job in jobs]
            first = [make(job, may_wait=False) for job in jobs]
            results = await gather_all(first, names, progress.say)
            taken = [number for number, result in enumerate(results) if result is None]
            second = [make(jobs[number], may_wait=True) for number in taken]
            waited = await gather_all(second, [names[number] for number in taken], progress.say)
            found = dict(enumerate(results)) | dict(zip(taken, waited, strict=True))
            return [result for result in found.values() if result is not None]


class ShotTakenError(Exception):
    """Another run is at work on this shot, here or on another machine."""


def _callback_for(job: Job, batch: BatchProgress, *, may_wait: bool) -> ProgressCallback:
    told: set[str] = set()

    def on_progress(progress: Progress) -> None:
        if progress.phase is Phase.WAITING and not may_wait:
            raise ShotTakenError
        if progress.warning or (progress.phase is Phase.WAITING and progress.text not in told):
            told.add(progress.text)
            batch.say(f"{job.name}: {progress.text}")

    return on_progress


def _report(job: Job, result: Clip | ViduError, batch: BatchProgress, *, in_json: bool) -> None:
    if isinstance(result, ViduError):
        batch.count_failure(f"{job.name}: {result}")
        if in_json:
            batch.print(json.dumps({**_facts(job), "error": str(result)}))
        return
    batch.count_clip(result.cost_usd)
    facts = {**_facts(job), **as_json(result)}
    batch.print(json.dumps(facts) if in_json else str(result.path))


def _facts(job: Job) -> Mapping[str, Any]:
    spec = job.shot.spec
    media = {role: [str(path) for path in paths] for role, paths in spec.media.items()}
    return {
        "row": job.shot.number,
        "name": job.name,
        "task": spec.intention.value,
        "model": job.model,
        "prompt": spec.prompt,
        "seed": spec.seed,
        "options": dict(spec.options),
        "media": media,
    }


def _sheet_item(job: Job, result: Clip | ViduError) -> SheetItem:
    spec = job.shot.spec
    options = [f"{name} {value}" for name, value in spec.options.items()]
    facts = ", ".join([job.model, f"seed {spec.seed or 'by Vidu'}", *options])
    return SheetItem.of(job.name, spec.prompt, facts, result)
