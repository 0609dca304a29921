"""A row of the ledger as the library shows it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ...vidu.models import Entry, State


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """Return what the library shows of a row; it looks whether the file is still there."""
    file = entry.file
    return {
        "id": entry.id,
        "fingerprint": entry.fingerprint,
        "request_id": entry.request_id,
        "state": entry.state.value,
        "prompt": entry.prompt,
        "seed": entry.seed,
        "options": dict(entry.options),
        "cost_usd": float(_cost(entry)),
        "asked_at": entry.reserved_at,
        "failure": entry.failure,
        "file": file
        and {
            "name": file.path.name,
            "version": file.sha256[:16],
            "exists": file.path.is_file(),
            "width": file.width,
            "height": file.height,
            "fps": file.fps,
            "duration_s": file.duration_s,
        },
    }


def _cost(entry: Entry) -> Decimal:
    free = entry.state is State.RESERVED or (entry.state is State.FAILED and entry.billed is False)
    return Decimal(0) if free else entry.price_usd
