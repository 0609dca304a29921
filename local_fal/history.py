"""The query of fal's listing of requests (fal.md 1.9)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from .jobs import Job

DEFAULT_LIMIT, MOST_LIMIT = 50, 100
MOST_IDS = 50


class BadQueryError(Exception):
    """The query is not one the platform takes; its text says why."""


@dataclass(frozen=True)
class Query:
    """Which requests the listing is asked for."""

    endpoints: list[str]
    request_ids: list[str]
    statuses: list[str]
    start: datetime
    end: datetime
    by_duration: bool
    with_payloads: bool
    limit: int
    offset: int

    @classmethod
    def read(cls, query: Mapping[str, str], now: datetime) -> Query:
        """Read it from the query string.

        Args:
            query: Its parameters.
            now: The server's time.

        Raises:
            BadQueryError: It is not one.
        """
        endpoints, request_ids = id_list(query, "endpoint_id"), id_list(query, "request_id")
        limit = query.get("limit", str(DEFAULT_LIMIT))
        if not 1 <= len(endpoints) <= MOST_IDS or len(request_ids) > MOST_IDS:
            raise BadQueryError("endpoint_id: between 1 and 50 ids; request_id: up to 50")
        if not limit.isdecimal() or not 1 <= int(limit) <= MOST_LIMIT:
            raise BadQueryError("limit: between 1 and 100")
        window = timedelta(days=90) if request_ids else timedelta(hours=24)
        end = _moment(query, "end", now + timedelta(seconds=1))
        return cls(
            endpoints=endpoints,
            request_ids=request_ids,
            statuses=id_list(query, "status"),
            start=_moment(query, "start", now - window),
            end=end,
            by_duration=query.get("sort_by") == "duration",
            with_payloads="payloads" in id_list(query, "expand"),
            limit=int(limit),
            offset=_offset(query.get("cursor")),
        )

    def matches(self, job: Job, moment: datetime) -> bool:
        """Return whether a job is among what is asked for.

        Args:
            job: The job.
            moment: When it ended by the server's clock, or was sent if it has not ended.
        """
        return (
            job.endpoint in self.endpoints
            and (not self.request_ids or job.request_id in self.request_ids)
            and (not self.statuses or _status_of(job) in self.statuses)
            and self.start <= moment < self.end
        )

    def order(self, job: Job) -> float:
        """Return what a job is sorted by, the largest first."""
        return job.duration_s if self.by_duration else job.ended_at or job.sent_at


def _status_of(job: Job) -> str | None:
    if job.response is None:
        return None
    return {2: "success", 4: "user_error"}.get(job.response.status // 100, "error")


def id_list(query: Mapping[str, str], name: str) -> list[str]:
    """Return the ids in one parameter of a query, comma-separated there."""
    return [one.strip() for one in query.get(name, "").split(",") if one.strip()]


def _moment(query: Mapping[str, str], name: str, default: datetime) -> datetime:
    text = query.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise BadQueryError(f"{name}: an ISO 8601 date and time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def cursor_at(offset: int) -> str:
    """Return the cursor of the page that begins there."""
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode()


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("offset:"))
    except (binascii.Error, ValueError):
        raise BadQueryError("cursor: not one of ours") from None
