"""One row of the ledger, as values: a shot's state, receipt, output and kept file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

MICRO = 1_000_000
"""Money is stored in whole millionths of a dollar."""


class State(str, Enum):
    """Where a row is; the picture in `ledger.py` has the ways between them."""

    INTENDED = "intended"
    UNKNOWN = "unknown"
    SUBMITTED = "submitted"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True)
class Receipt:
    """What fal answers to a submit: the request's id and its three addresses."""

    request_id: str
    status_url: str
    response_url: str
    cancel_url: str


@dataclass(frozen=True)
class Output:
    """What fal answers for a finished request.

    Args:
        video_url: Where the clip is.
        video_size: Its size in bytes, when fal says it.
        billable_units: fal's own count, from `x-fal-billable-units`, when it says it.
    """

    video_url: str
    video_size: int | None = None
    billable_units: float | None = None


@dataclass(frozen=True)
class KeptFile:
    """The clip on disk: where, what, and what is in it."""

    path: Path
    size: int
    sha256: str
    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float


@dataclass(frozen=True)
class Entry:
    """One row: times are seconds since 1970, `None` for what has not happened.

    `life_s` is how long the request can live from `posted_at` on, in seconds, and `account` whose
    it is (`Platform.account`); both are `None` in rows of the first versions.
    """

    id: int
    fingerprint: str
    endpoint: str
    state: State
    prompt: str
    seed: int
    options: Mapping[str, str]
    price_usd: Decimal
    intended_at: float
    arguments: Mapping[str, Any] | None = None
    posted_at: float | None = None
    life_s: float | None = None
    account: str | None = None
    receipt: Receipt | None = None
    submitted_at: float | None = None
    cancelled_at: float | None = None
    output: Output | None = None
    finished_at: float | None = None
    file: KeptFile | None = None
    kept_at: float | None = None
    failure: str | None = None
    billed: bool | None = None
    failed_at: float | None = None

    @property
    def request_id(self) -> str:
        """fal's id, or the empty string before there is one."""
        return self.receipt.request_id if self.receipt else ""


FILE_COLUMNS = tuple(field.name for field in fields(KeptFile))


def entry_of(row: sqlite3.Row) -> Entry:
    """Read a row of the table `shots`."""
    receipt = output = file = None
    if row["request_id"]:
        receipt = Receipt(*(row[field.name] for field in fields(Receipt)))
    if row["video_url"]:
        output = Output(*(row[field.name] for field in fields(Output)))
    if row["path"]:
        file = KeptFile(Path(row["path"]), *(row[name] for name in FILE_COLUMNS[1:]))
    return Entry(
        id=row["id"],
        fingerprint=row["fingerprint"],
        endpoint=row["endpoint"],
        state=State(row["state"]),
        prompt=row["prompt"],
        seed=row["seed"],
        options=json.loads(row["options"]),
        price_usd=Decimal(row["price_micro_usd"]) / MICRO,
        intended_at=row["intended_at"],
        arguments=json.loads(row["arguments"]) if row["arguments"] else None,
        posted_at=row["posted_at"],
        life_s=row["life_s"],
        account=row["account"],
        receipt=receipt,
        submitted_at=row["submitted_at"],
        cancelled_at=row["cancelled_at"],
        output=output,
        finished_at=row["finished_at"],
        file=file,
        kept_at=row["kept_at"],
        failure=row["failure"],
        billed=None if row["billed"] is None else bool(row["billed"]),
        failed_at=row["failed_at"],
    )
