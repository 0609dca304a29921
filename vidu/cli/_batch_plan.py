"""The plan of a batch: each shot under its name, checked, with its row of the ledger."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path

from ..destination import clean_name
from ..errors import InvalidInputError
from ..ledger import Ledger
from ..models import State
from ..request import Request
from ..shots.manifest import ManifestShot, read_manifest

UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


class PlanStatus(str, Enum):
    """What is to be done for a shot."""

    NEW = "new"
    UNFINISHED = "unfinished"
    PAID = "paid"


@dataclass(frozen=True)
class Job:
    """A shot of the manifest that has been checked.

    Args:
        shot: The shot.
        name: The name of its clip, without number and suffix.
        fingerprint: The request's.
        model: The name of its model.
        price_usd: What it costs when it is new.
    """

    shot: ManifestShot
    name: str
    fingerprint: str
    model: str
    price_usd: Decimal

    def build_request(self) -> Request:
        """Read the files again, so that only those of the shots under way are held in memory."""
        return self.shot.spec.build()


def plan(manifest: Path, on_notice: Callable[[str], None]) -> list[Job]:
    """Read a manifest and every file in it.

    Args:
        manifest: The CSV, JSONL or YAML file.
        on_notice: Called with a sentence for each thing that is not taken as it stands there.

    Raises:
        InvalidInputError: Something in it cannot be used: all of it is named.
    """
    found = read_manifest(manifest)
    if found.encoding not in UNICODE:
        on_notice(f"{manifest.name} is not UTF-8 and is read as {found.encoding}.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = list(pool.map(partial(_check, on_notice), found.shots))
    jobs = [job for job in checked if isinstance(job, Job)]
    problems = [problem for problem in checked if isinstance(problem, str)] + _find_doubles(jobs)
    if problems:
        raise InvalidInputError("\n".join(problems), "Fix the manifest, then run again.")
    return jobs


async def plan_statuses(jobs: Sequence[Job], ledger: Ledger) -> list[PlanStatus]:
    """Return where each shot stands; one that is new twice is paid once, by the first."""
    seen: set[str] = set()
    found = []
    for job in jobs:
        entry = await ledger.active(job.fingerprint)
        if job.fingerprint in seen or (entry and entry.state is State.SAVED):
            found.append(PlanStatus.PAID)
        elif entry and entry.state is not State.RESERVED:
            found.append(PlanStatus.UNFINISHED)
        else:
            found.append(PlanStatus.NEW)
        seen.add(job.fingerprint)
    return found


def _check(on_notice: Callable[[str], None], shot: ManifestShot) -> Job | str:
    try:
        request = shot.spec.build(lambda notice: on_notice(f"Row {shot.number}: {notice}"))
    except InvalidInputError as error:
        return f"Row {shot.number}: {error.message} {error.next_step}"
    file = shot.spec.first_file
    stem = clean_name(file.stem if file else shot.spec.intention.value, most_bytes=180)
    name = shot.out or f"{stem}_{request.fingerprint[:8]}"
    return Job(shot, name, request.fingerprint, request.endpoint.model, request.price)


def _find_doubles(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each name that another shot has; Windows and macOS see no capitals."""
    first: dict[str, Job] = {}
    return [
        f"Row {job.shot.number}: its clip's name {job.name!r} is that of row {other.shot.number}."
        for job in jobs
        if (other := first.setdefault(job.name.casefold(), job)).fingerprint != job.fingerprint
    ]
