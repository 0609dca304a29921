"""The log of the prompts for which the user pressed Cancel."""

from __future__ import annotations

import re
import time
from typing import Any

from aiohttp import web

CURRENT_PROMPT = ""

REMEMBERED_S = 3600.0
"""How long a press is remembered; a run ends within seconds of it."""

CANCEL_ROUTE = re.compile(
    r"(/api)?/((?P<interrupt>interrupt)|jobs/cancel|jobs/(?P<job_id>[^/]+)/cancel)"
)
"""The host's: /interrupt {"prompt_id"?}, /jobs/cancel {"job_ids"}, /jobs/{id}/cancel (0.26 on)."""


class InterruptLog:
    """The moment of the last Cancel of each prompt, noted from what the editor asks of the host.

    The host's own flag is not a record: the first node that looks takes it away, maybe before the
    answer to the press is sent.
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    async def record(self, request: web.Request, response: web.StreamResponse) -> None:
        """Note a press; a handler of aiohttp's `on_response_prepare`."""
        press = CANCEL_ROUTE.fullmatch(request.path) if request.method == "POST" else None
        if press and response.status == 200:
            now = time.monotonic()
            pressed = dict.fromkeys(await _named(request, press), now)
            recent = {name: at for name, at in self._last.items() if now - at < REMEMBERED_S}
            self._last = recent | pressed

    def interrupted_since(self, moment: float, prompt_id: str) -> bool:
        """Return whether the prompt was cancelled after `moment`, in monotonic seconds."""
        names = (prompt_id, CURRENT_PROMPT)
        return any(self._last.get(name, float("-inf")) >= moment for name in names)


async def _named(request: web.Request, press: re.Match[str]) -> list[str]:
    if press["job_id"]:
        return [press["job_id"]]
    body = await _object(request)
    if press["interrupt"]:
        prompt_ids: object = [body.get("prompt_id") or CURRENT_PROMPT]
    else:
        prompt_ids = body.get("job_ids")
    if not isinstance(prompt_ids, list):
        return []
    return [prompt_id for prompt_id in prompt_ids if isinstance(prompt_id, str)]


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
