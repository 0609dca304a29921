"""The values of one row of the ledger: state, request handle, output, saved file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from .errors import Charge


class State(str, Enum):
    """Where a row is; the picture in `ledger.py` has the ways between them."""

    RESERVED = "reserved"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    SAVED = "saved"
    FAILED = "failed"


@dataclass(frozen=True)
class RequestHandle:
    """What fal answers to a submit: the request's id and its three addresses."""

    request_id: str
    status_url: str
    response_url: str
    cancel_url: str


@dataclass(frozen=True)
class Output:
    """What fal answers for a finished request.

    Args:
        url: Where the file is.
        size: Its size in bytes, when fal says it.
        billable_units: fal's own count, from `x-fal-billable-units`, when it says it.
        kind: What it is.
        seed: The seed that it was made with, when fal says it (Q4 does).
    """

    url: str
    size: int | None = None
    billable_units: float | None = None
    kind: Literal["video", "image"] = "video"
    seed: int | None = None


@dataclass(frozen=True)
class SavedFile:
    """The file on disk: where, what, and what is in it; a still has 0 fps and 1 frame.

    `sha256` is that of the file, and `content_sha256` that of what is inside: a title that another
    program writes into the file changes the one and not the other. `relative_path` is where the
    file lies below the output folder, with `/` between folders: another machine finds it there
    below its own. It is "" for a file elsewhere.
    """

    path: Path
    size: int
    sha256: str
    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    content_sha256: str | None = None
    relative_path: str = ""


@dataclass(frozen=True)
class Entry:
    """One row: times are seconds since 1970, `None` for what has not happened.

    `counted_at` is the time, by fal's clock or a shared database's, of the day whose budget holds
    the row: when it was reserved, and then when it was sent.
    `submitting_server_time` is `submitting_at` by fal's clock, and `max_lifetime_s` how long the
    request can be under way from then on, in seconds.
    `account` names whose request it is (`Provider.account`), `host` the machine that reserved it
    or saved its file, and `revision` counts the changes of the row.
    """

    id: int
    fingerprint: str
    endpoint: str
    state: State
    prompt: str
    seed: int
    options: Mapping[str, Any]
    price_usd: Decimal
    reserved_at: float
    counted_at: float | None = None
    arguments: Mapping[str, Any] | None = None
    submitting_at: float | None = None
    submitting_server_time: float | None = None
    max_lifetime_s: float | None = None
    account: str | None = None
    handle: RequestHandle | None = None
    submitted_at: float | None = None
    cancelled_at: float | None = None
    output: Output | None = None
    finished_at: float | None = None
    file: SavedFile | None = None
    saved_at: float | None = None
    failure: str | None = None
    billed: bool | None = None
    failed_at: float | None = None
    host: str = ""
    revision: int = 0

    @property
    def request_id(self) -> str:
        """fal's id, or the empty string before there is one."""
        return self.handle.request_id if self.handle else ""

    @property
    def used_seed(self) -> int:
        """The seed that was sent, else the one that Vidu chose and told, else 0."""
        sent: int = (self.arguments or {}).get("seed", self.seed)
        return sent or (self.output.seed if self.output else None) or 0


@dataclass(frozen=True)
class Clip:
    """A clip on disk.

    Args:
        path: The mp4, as fal delivered it, packet for packet.
        request_id: fal's id of the request that made it.
        seed: The seed that was sent, else the one that Vidu chose and told, else 0.
        width: Pixels.
        height: Pixels.
        fps: Frames per second, on average.
        frame_count: Frames in the file.
        duration_s: Seconds.
        cost_usd: What this run paid for it: its price, or 0 when it had been paid for before.
        reused: Whether an earlier run had paid for it.
    """

    path: Path
    request_id: str
    seed: int
    width: int
    height: int
    fps: float
    frame_count: int
    duration_s: float
    cost_usd: Decimal
    reused: bool

    @property
    def is_draft(self) -> bool:
        """Whether it is a free local stand-in."""
        return self.request_id.startswith("draft")

    @property
    def charge(self) -> Charge:
        """What an error says of the money that comes after the clip was saved."""
        return Charge.NOT_SPENT if self.is_draft else Charge.SPENT

    @classmethod
    def from_entry(
        cls, entry: Entry, *, cost_usd: Decimal = Decimal(0), reused: bool = True
    ) -> Clip:
        """Return the clip of a SAVED row.

        Args:
            entry: The row.
            cost_usd: What this run paid for it.
            reused: Whether an earlier run had paid for it.
        """
        file = entry.file
        assert file is not None
        return cls(
            path=file.path,
            request_id=entry.request_id,
            seed=entry.used_seed,
            width=file.width,
            height=file.height,
            fps=file.fps,
            frame_count=file.frame_count,
            duration_s=file.duration_s,
            cost_usd=cost_usd,
            reused=reused,
        )
