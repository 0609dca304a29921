"""The server's clock, which may differ from this machine's."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from email.utils import formatdate

from aiohttp import web


class ServerClock:
    """The time that fal tells: in the Date header of each response, and in its listing.

    `skew_s` is how many seconds it is ahead of this machine's clock.
    """

    def __init__(self) -> None:
        self.skew_s = 0.0

    def to_datetime(self, local: float | None = None) -> datetime:
        """Return what this clock shows at a moment of this machine's clock; by default now."""
        seconds = (time.time() if local is None else local) + self.skew_s
        return datetime.fromtimestamp(seconds, timezone.utc)

    async def add_date(self, _: web.Request, response: web.StreamResponse) -> None:
        """Write the Date header, for aiohttp's signal on_response_prepare."""
        response.headers["Date"] = formatdate(self.to_datetime().timestamp(), usegmt=True)
