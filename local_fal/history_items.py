"""The items of fal's listing, in their usual shape and in every odd one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

from .catalog import ENDPOINTS
from .clock import ServerClock
from .jobs import Job


def describe(job: Job, clock: ServerClock, with_payloads: bool) -> dict[str, Any]:
    """Return what the listing shows of a job.

    Args:
        job: The job.
        clock: The server's clock.
        with_payloads: Whether its input and output are shown.
    """
    times = {name: getattr(job, name) for name in ("sent_at", "started_at", "ended_at")}
    shown = {
        "request_id": job.request_id,
        "endpoint_id": job.endpoint,
        **{name: at and clock.to_datetime(at).isoformat() for name, at in times.items()},
        "status_code": job.response.status if job.response else None,
        "duration": job.duration_s if job.response else None,
    }
    if not with_payloads:
        return shown
    output = job.response.body if job.response else None
    kept = {"json_input": job.input, "json_output": output}
    return shown | (kept if job.keeps_payload else dict.fromkeys(kept))


def _cut(item: dict[str, Any]) -> None:
    text = json.dumps(item["json_input"])
    item["json_input"] = text[: len(text) // 2]


def _as_text(item: dict[str, Any]) -> None:
    item["json_input"] = json.dumps(item["json_input"])


def _empty(item: dict[str, Any]) -> None:
    item["json_input"] = {}


def _nest(item: dict[str, Any]) -> None:
    item["json_input"] = {"input": item["json_input"]}


def _null(item: dict[str, Any]) -> None:
    item["json_input"] = None


def _seed_as_text(item: dict[str, Any]) -> None:
    given = item["json_input"]
    if isinstance(given, dict) and given.get("seed") is not None:
        item["json_input"] = given | {"seed": str(given["seed"])}


def _leave_out_defaults(item: dict[str, Any]) -> None:
    given = item["json_input"]
    if isinstance(given, dict):
        fields = ENDPOINTS[item["endpoint_id"]].schema.model_fields
        item["json_input"] = {
            name: value
            for name, value in given.items()
            if name not in fields or fields[name].is_required() or fields[name].default != value
        }


def _sign_urls(item: dict[str, Any]) -> None:
    signature = secrets.token_hex(8)
    for name in ("json_input", "json_output"):
        item[name] = _signed(item[name], signature)


def _signed(value: Any, signature: str) -> Any:
    if isinstance(value, dict):
        return {name: _signed(part, signature) for name, part in value.items()}
    if isinstance(value, list):
        return [_signed(part, signature) for part in value]
    if isinstance(value, str) and value.startswith("https://"):
        return f"{value}?X-Signature={signature}"
    return value


SHAPES: dict[str, Callable[[dict[str, Any]], None]] = {
    "listing_input_cut": _cut,
    "listing_input_text": _as_text,
    "listing_input_empty": _empty,
    "listing_input_nested": _nest,
    "listing_input_null": _null,
    "listing_seed_text": _seed_as_text,
    "listing_without_defaults": _leave_out_defaults,
    "listing_urls_signed": _sign_urls,
}
"""Changes to an item that shows its payloads, by the name of the fault."""
