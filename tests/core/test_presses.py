"""Cancel, noted from what the editor asks of the host, over real sockets."""

from __future__ import annotations

import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

ROOT = Path(__file__).resolve().parents[2]


def noting():
    spec = spec_from_file_location("presses", ROOT / "nodes" / "presses.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Presses()


@pytest.mark.parametrize(
    ("path", "body", "cancelled"),
    [
        ("/interrupt", None, {"a", "b"}),
        ("/api/interrupt", {}, {"a", "b"}),
        ("/interrupt", {"prompt_id": "a"}, {"a"}),
        ("/api/jobs/b/cancel", None, {"b"}),
        ("/api/jobs/cancel", {"job_ids": ["a", "b"]}, {"a", "b"}),
        ("/api/jobs/cancel", {"job_ids": 5}, set()),
        ("/free", {"prompt_id": "a"}, set()),
    ],
)
async def test_a_press_is_noted_for_the_prompts_it_names(path, body, cancelled):
    async def answer(request: web.Request) -> web.Response:
        good = body is None or isinstance(body.get("job_ids", []), list)
        return web.Response(status=200 if good else 400)

    presses = noting()
    app = web.Application()
    app.on_response_prepare.append(presses.note)
    for known in ("/interrupt", "/api/interrupt", "/api/jobs/{job_id}/cancel", "/free"):
        app.router.add_post(known, answer)
    app.router.add_post("/api/jobs/cancel", answer)
    before = time.monotonic()
    async with TestClient(TestServer(app)) as client:
        await client.post(path, json=body)
    assert {prompt for prompt in ("a", "b") if presses.since(before, prompt)} == cancelled
    assert not presses.since(time.monotonic() + 1, "a")
