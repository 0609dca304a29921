"""A row of the ledger as the library shows it: its state, its cost, and what can be done with it.

What is in a row may come from another machine or a damaged file, so that each value is checked
before it reaches a page or names a file.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from ...vidu.catalog import endpoint_title, is_price_upper_bound
from ...vidu.ledger import is_charge_known
from ...vidu.models import Entry, SavedFile, State

SHA256 = re.compile(r"[0-9a-f]{64}")

UNFINISHED = (State.SUBMITTING, State.SUBMITTED, State.CANCELLED, State.FINISHED)


def entry_to_json(entry: Entry, *, is_running: bool, has_workflow: bool) -> dict[str, Any]:
    """Return what the library shows of a row; it looks whether the file is still there.

    Args:
        entry: The row.
        is_running: Whether a run of this server is at work on it.
        has_workflow: Whether the ledger has the workflow that made it.
    """
    file = entry.file
    exists = file is not None and is_servable(file)
    return {
        "id": entry.id,
        "fingerprint": entry.fingerprint,
        "request_id": entry.request_id,
        "state": _state(entry, is_running=is_running, exists=exists),
        "prompt": entry.prompt,
        "seed": entry.used_seed,
        "model": endpoint_title(entry.endpoint),
        "options": [str(value) for value in entry.options.values()],
        "cost": cost_to_json(entry),
        "machine": entry.host,
        "created_at": _finite(entry.reserved_at),
        "failure": entry.failure,
        "actions": _actions(entry, is_running=is_running, exists=exists, workflow=has_workflow),
        "file": file and _file_to_json(file, exists),
    }


def unreadable_to_json(entry_id: int) -> dict[str, Any]:
    """Return a row that cannot be read, which is one card and not the end of the page."""
    # One whose number cannot be read either cannot be named.
    return {"id": entry_id, "state": "unreadable", "actions": ["forget"] if entry_id else []}


def cost_to_json(entry: Entry) -> dict[str, Any]:
    """Return the cost in US dollars, whether it is known that fal charges it, and all of it."""
    free = entry.state is State.RESERVED or (entry.state is State.FAILED and entry.billed is False)
    usd = Decimal(0) if free else entry.price_usd
    return {
        "usd": float(usd),
        "certain": is_charge_known(entry.state, entry.billed),
        "is_upper_bound": not free and is_price_upper_bound(entry.endpoint, entry.options),
    }


def is_servable(file: SavedFile) -> bool:
    """Return whether the file is there, and is one that this pack may have written."""
    return file.path.suffix.lower() in MEDIA_TYPES and file.path.is_file()


def is_sha256(text: str) -> bool:
    """Return whether the text is a hash, and so can name a thumbnail and nothing else."""
    return isinstance(text, str) and SHA256.fullmatch(text) is not None


MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
"""What a saved file can be, by its suffix."""


def _state(entry: Entry, *, is_running: bool, exists: bool) -> str:
    if is_running and entry.state not in (State.FAILED, State.SAVED):
        return "in_progress"
    return "missing" if entry.state is State.SAVED and not exists else entry.state.value


def _actions(entry: Entry, *, is_running: bool, exists: bool, workflow: bool) -> list[str]:
    saved = entry.state is State.SAVED
    owed = entry.state in UNFINISHED or (saved and not exists)
    offered = {
        "canvas": saved and bool(entry.request_id),
        "resume": owed and not is_running and bool(entry.request_id),
        "restore": workflow,
        "open": exists,
        "forget": not is_running,
    }
    return [name for name, works in offered.items() if works]


def _file_to_json(file: SavedFile, exists: bool) -> dict[str, Any]:
    return {
        "name": file.path.name,
        "version": file.sha256[:16] if is_sha256(file.sha256) else "",
        "exists": exists,
        "width": file.width,
        "height": file.height,
        "fps": _finite(file.fps),
        "frame_count": file.frame_count,
        "duration_s": _finite(file.duration_s),
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
