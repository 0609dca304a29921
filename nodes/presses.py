"""For which prompt the artist pressed Cancel, and when."""

from __future__ import annotations

import time

from aiohttp import web

WHICHEVER_RUNS = ""


class Presses:
    """The moment of the last Cancel of each prompt, noted from what the editor asks of the host.

    The host's own flag is no record: the first node that looks takes it away, maybe before the
    answer to the press is sent.
    """

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    async def note(self, request: web.Request, response: web.StreamResponse) -> None:
        """Note a press; a handler of aiohttp's `on_response_prepare`."""
        asks = request.method == "POST" and request.path.endswith(("/interrupt", "/cancel"))
        if asks and response.status == 200:
            for prompt_id in await _named(request):
                self._last[str(prompt_id)] = time.monotonic()

    def since(self, moment: float, prompt_id: str) -> bool:
        """Tell whether the prompt was cancelled after `moment`, in monotonic seconds."""
        names = (prompt_id, WHICHEVER_RUNS)
        return any(self._last.get(name, float("-inf")) >= moment for name in names)


async def _named(request: web.Request) -> list[str]:
    # /interrupt {"prompt_id"?}, and since 0.26 /jobs/{job_id}/cancel and /jobs/cancel {"job_ids"}.
    if "job_id" in request.match_info:
        return [request.match_info["job_id"]]
    try:
        body = await request.json()
    except ValueError:
        return [WHICHEVER_RUNS]
    return body.get("job_ids") or [body.get("prompt_id") or WHICHEVER_RUNS]
