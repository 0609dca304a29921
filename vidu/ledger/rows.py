"""The conversion of rows and entries; a row is untrusted, for disks fail and programs err."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from ..models import Entry, Output, RequestHandle, SavedFile, State
from .database import Row

MICRO = 1_000_000
"""Money is stored in whole millionths of a dollar."""

SHA256 = re.compile("[0-9a-f]{64}")
T = TypeVar("T")


@dataclass(frozen=True)
class UnreadableEntry:
    """A row that does not make sense.

    Args:
        id: Its number, or 0 when even that cannot be read.
        reason: Which column holds what, in words.
    """

    id: int
    reason: str


def read_row(row: Row) -> Entry | UnreadableEntry:
    """Return the entry of a row, or what is wrong with it."""
    try:
        return read_entry(row)
    except ValueError as error:
        row_id = row["id"]
        return UnreadableEntry(row_id if isinstance(row_id, int) else 0, str(error))


def read_entry(row: Row) -> Entry:
    """Return the entry of a row.

    Raises:
        ValueError: A column holds what this pack never writes.
    """
    read = _Reader(row)
    return Entry(
        id=read.needed("id", int),
        fingerprint=read.digest("fingerprint"),
        endpoint=read.needed("endpoint", str),
        state=_state(row["state"]),
        prompt=read.needed("prompt", str),
        seed=read.needed("seed", int),
        options=read.json("options") or {},
        price_usd=Decimal(read.count("price_micro_usd")) / MICRO,
        arguments=read.json("arguments"),
        account=read.optional("account", str),
        handle=_handle(read),
        output=_output(read),
        file=_file(read),
        failure=read.optional("failure", str),
        billed=None if row["billed"] is None else bool(row["billed"]),
        host=read.needed("host", str),
        reserved_at=read.needed("reserved_at", float),
        counted_at=read.optional("counted_at", float),
        max_lifetime_s=read.optional("max_lifetime_s", float),
        revision=read.needed("revision", int),
        submitting_at=read.optional("submitting_at", float),
        submitting_server_time=read.optional("submitting_server_time", float),
        submitted_at=read.optional("submitted_at", float),
        cancelled_at=read.optional("cancelled_at", float),
        finished_at=read.optional("finished_at", float),
        saved_at=read.optional("saved_at", float),
        failed_at=read.optional("failed_at", float),
    )


def entry_columns(entry: Entry) -> dict[str, Any]:
    """Return the columns that hold what an entry says."""
    columns: dict[str, Any] = {
        "fingerprint": entry.fingerprint,
        "endpoint": entry.endpoint,
        "state": entry.state.value,
        "prompt": entry.prompt,
        "search_text": search_text(entry.prompt),
        "seed": entry.seed,
        "options": json.dumps(dict(entry.options)),
        "price_micro_usd": int(entry.price_usd * MICRO),
        "host": entry.host,
        "reserved_at": entry.reserved_at,
        "counted_at": entry.counted_at,
        "arguments": None if entry.arguments is None else json.dumps(dict(entry.arguments)),
        "max_lifetime_s": entry.max_lifetime_s,
        "account": entry.account,
        "failure": entry.failure,
        "billed": None if entry.billed is None else int(entry.billed),
        "revision": entry.revision,
        "submitting_at": entry.submitting_at,
        "submitting_server_time": entry.submitting_server_time,
        "submitted_at": entry.submitted_at,
        "cancelled_at": entry.cancelled_at,
        "finished_at": entry.finished_at,
        "saved_at": entry.saved_at,
        "failed_at": entry.failed_at,
    }
    if entry.handle:
        columns |= handle_columns(entry.handle)
    if entry.output:
        columns |= output_columns(entry.output)
    if entry.file:
        columns |= file_columns(entry.file)
    return columns


def handle_columns(handle: RequestHandle) -> dict[str, Any]:
    """Return the columns that hold a request's handle."""
    return {
        "request_id": handle.request_id,
        "status_url": handle.status_url,
        "response_url": handle.response_url,
        "cancel_url": handle.cancel_url,
    }


def output_columns(output: Output) -> dict[str, Any]:
    """Return the columns that hold what fal made."""
    return {
        "output_url": output.url,
        "output_size": output.size,
        "output_kind": output.kind,
        "billable_units": output.billable_units,
        "output_seed": output.seed,
    }


def file_columns(file: SavedFile) -> dict[str, Any]:
    """Return the columns that hold a saved file."""
    return {
        "path": str(file.path),
        "relative_path": file.relative_path,
        "size": file.size,
        "sha256": file.sha256,
        "content_sha256": file.content_sha256,
        "width": file.width,
        "height": file.height,
        "fps": file.fps,
        "frame_count": file.frame_count,
        "duration_s": file.duration_s,
    }


def search_text(prompt: str) -> str:
    """Return a prompt as it is searched: without upper case, in every script."""
    return prompt.casefold()


class _Reader:
    """Typed access to the columns of one row."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def needed(self, name: str, kind: type[T]) -> T:
        value = self.optional(name, kind)
        if value is None:
            raise ValueError(f"{name} is missing")
        return value

    def optional(self, name: str, kind: type[T]) -> T | None:
        value = self._row[name]
        if value is None:
            return None
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ValueError(f"{name} is {type(value).__name__}, not {kind.__name__}")
        if isinstance(value, float) and not (math.isfinite(value) and abs(value) < 1e15):
            raise ValueError(f"{name} is {value}")
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{name} holds bytes that are no text") from None
        return value

    def count(self, name: str) -> int:
        value = self.needed(name, int)
        if value < 0:
            raise ValueError(f"{name} is {value}")
        return value

    def digest(self, name: str) -> str:
        value = self.needed(name, str)
        if not SHA256.fullmatch(value):  # it names files of ours
            raise ValueError(f"{name} is no sha256")
        return value

    def optional_digest(self, name: str) -> str | None:
        return None if self._row[name] is None else self.digest(name)

    def json(self, name: str) -> Mapping[str, Any] | None:
        text = self.optional(name, str)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except ValueError:
            raise ValueError(f"{name} is not JSON") from None
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not a JSON object")
        return value


def _state(value: object) -> State:
    try:
        return State(value)
    except ValueError:
        raise ValueError(f"state is {str(value)[:20]!r}") from None


def _handle(read: _Reader) -> RequestHandle | None:
    if not read.optional("request_id", str):
        return None
    return RequestHandle(
        request_id=read.needed("request_id", str),
        status_url=read.needed("status_url", str),
        response_url=read.needed("response_url", str),
        cancel_url=read.needed("cancel_url", str),
    )


def _output(read: _Reader) -> Output | None:
    url = read.optional("output_url", str)
    if not url:
        return None
    kind = read.needed("output_kind", str)
    if kind not in ("video", "image"):
        raise ValueError(f"output_kind is {kind[:20]!r}")
    return Output(
        url=url,
        size=read.optional("output_size", int),
        kind="image" if kind == "image" else "video",
        billable_units=read.optional("billable_units", float),
        seed=read.optional("output_seed", int),
    )


def _file(read: _Reader) -> SavedFile | None:
    path = read.optional("path", str)
    if not path:
        return None
    if "\0" in path:
        raise ValueError("path holds a NUL")
    return SavedFile(
        path=Path(path),
        relative_path=read.optional("relative_path", str) or "",
        size=read.count("size"),
        sha256=read.digest("sha256"),
        content_sha256=read.optional_digest("content_sha256"),
        width=read.count("width"),
        height=read.count("height"),
        fps=read.needed("fps", float),
        frame_count=read.count("frame_count"),
        duration_s=read.needed("duration_s", float),
    )
