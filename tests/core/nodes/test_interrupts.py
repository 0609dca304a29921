"""Cancel, noted from what the editor asks of the host, over real sockets."""

from __future__ import annotations

import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

ROOT = Path(__file__).resolve().parents[3]


def noting():
    spec = spec_from_file_location("interrupts", ROOT / "nodes" / "host" / "interrupts.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.InterruptLog()


@pytest.mark.parametrize(
    ("path", "body", "cancelled"),
    [
        ("/interrupt", None, {"a", "b"}),
        ("/api/interrupt", {}, {"a", "b"}),
        ("/interrupt", {"prompt_id": None}, {"a", "b"}),
        ("/interrupt", {"prompt_id": "a"}, {"a"}),
        ("/api/jobs/b/cancel", None, {"b"}),
        ("/api/jobs/b/cancel", {"prompt_id": "a"}, {"b"}),
        ("/api/jobs/cancel", {"job_ids": ["a", "b"]}, {"a", "b"}),
        ("/api/jobs/cancel", {"job_ids": ["b"]}, {"b"}),
    ],
)
async def test_record_cancel_is_noted_for_the_prompts_it_names(path, body, cancelled):
    assert await noted(path, body) == (200, cancelled)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/free", {"prompt_id": "a"}),
        ("/api/jobs/cancel", {"job_ids": []}),
        ("/some_pack/cancel", {"prompt_id": "a"}),
        ("/some_pack/cancel", None),
        ("/some_pack/interrupt", None),
        ("/api/jobs/a/b/cancel", None),
    ],
)
async def test_record_other_request_is_not_noted(path, body):
    assert await noted(path, body) == (200, set())


@pytest.mark.parametrize(
    ("path", "body", "cancelled"),
    [
        ("/interrupt", {"prompt_id": 5}, set()),
        ("/interrupt", {"prompt_id": ["a"]}, set()),
        ("/interrupt", [], {"a", "b"}),
        ("/interrupt", "a", {"a", "b"}),
        ("/api/jobs/cancel", None, set()),
        ("/api/jobs/cancel", ["a"], set()),
        ("/api/jobs/cancel", {"job_ids": 5}, set()),
        ("/api/jobs/cancel", {"job_ids": "a"}, set()),
        ("/api/jobs/cancel", {"job_ids": [5, [], {}, None, "b"]}, {"b"}),
    ],
)
async def test_record_strange_body_changes_no_response(path, body, cancelled):
    assert await noted(path, body) == (200, cancelled)


async def test_record_cancel_that_the_host_refused_is_not_noted():
    assert await noted("/interrupt", None, status=400) == (400, set())


async def noted(path, body, status=200) -> tuple[int, set[str]]:
    """How the host answers, and which of the prompts a and b are cancelled then."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    presses = noting()
    app = web.Application()
    app.on_response_prepare.append(presses.record)
    app.router.add_post("/{anything:.*}", answer)
    before = time.monotonic()
    async with TestClient(TestServer(app)) as client:
        response = await client.post(path, json=body)
    assert not presses.interrupted_since(time.monotonic() + 1, "a")
    return response.status, {
        prompt for prompt in ("a", "b") if presses.interrupted_since(before, prompt)
    }


async def test_record_cancel_is_dropped_after_an_hour(monkeypatch):
    log = noting()
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for prompt_id in ("old", "new"):
        request = make_mocked_request("POST", f"/api/jobs/{prompt_id}/cancel")
        await log.record(request, web.Response())
        clock[0] += 3601
    assert not log.interrupted_since(0, "old")
    assert log.interrupted_since(0, "new")
