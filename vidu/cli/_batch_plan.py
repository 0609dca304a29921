"""What a manifest comes to: each shot under its name, checked, and where the ledger has it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path

from ..builders import image_to_video
from ..destination import clean_name
from ..errors import InvalidInputError
from ..ledger import Ledger
from ..media.image_file import load_image
from ..models import State
from ..request import Request
from ..shots.manifest import ManifestShot, read_manifest


class PlanStatus(str, Enum):
    """What is to be done for a shot."""

    NEW = "new"
    UNFINISHED = "unfinished"
    PAID = "paid"


@dataclass(frozen=True)
class Job:
    """A row of the manifest that can be asked for.

    Args:
        row: The row.
        name: The name of its clip, without `.mp4`.
        fingerprint: The shot's.
        price_usd: What it costs when it is new.
    """

    row: ManifestShot
    name: str
    fingerprint: str
    price_usd: Decimal

    def request(self) -> Request:
        """Read the image again, so that no more than those under way are held in memory."""
        return _request(self.row)


@dataclass(frozen=True)
class Shard:
    """One part of the shots, the same on every machine.

    A shot is placed by its fingerprint: it stays in its part, and in that part's ledger, when
    other rows change, and the same shot twice is in one part.

    Args:
        index: Which, from 1 to `count`.
        count: How many there are.
    """

    index: int = 1
    count: int = 1

    def has(self, job: Job) -> bool:
        """Return whether a shot is in this part."""
        return int(job.fingerprint, 16) % self.count == self.index - 1


def plan(manifest: Path, shard: Shard) -> list[Job]:
    """Read a manifest and every image in it.

    Raises:
        InvalidInputError: Something in it cannot be used, in whatever part: all of it is named.
    """
    rows = read_manifest(manifest)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = list(pool.map(_checked, rows))
    jobs = [job for job in checked if isinstance(job, Job)]
    problems = [problem for problem in checked if isinstance(problem, str)] + _doubles(jobs)
    if problems:
        raise InvalidInputError("\n".join(problems), "Mend the manifest, then run again.")
    return [job for job in jobs if shard.has(job)]


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


def _request(row: ManifestShot) -> Request:
    return image_to_video(
        load_image(row.image), row.prompt, seed=row.seed, movement_amplitude=row.movement_amplitude
    )


def _checked(row: ManifestShot) -> Job | str:
    try:
        request = _request(row)
    except InvalidInputError as error:
        return f"Row {row.number}: {error.message} {error.next_step}"
    name = row.out or f"{clean_name(row.image.stem, most_bytes=180)}_{request.fingerprint[:8]}"
    return Job(row, name, request.fingerprint, request.price)


def _doubles(jobs: Sequence[Job]) -> list[str]:
    """Return a line for each name that another shot has; Windows and macOS see no capitals."""
    first: dict[str, Job] = {}
    return [
        f"Row {job.row.number}: its clip's name {job.name!r} is that of row {other.row.number}."
        for job in jobs
        if (other := first.setdefault(job.name.casefold(), job)).fingerprint != job.fingerprint
    ]
