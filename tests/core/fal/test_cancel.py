"""Cancel at fal, and the money of a cancelled request."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest

from vidu.errors import (
    Charge,
    ContentPolicyError,
    GenerationCancelledError,
    GenerationError,
    ServiceError,
)
from vidu.provider import CancelReply, Completed

from ...support.raw_fal import KEY, Received, response
from ...support.raw_responses import HANDLE, always, client, drip, endless, in_turn, name_of


def silent(_: Received, __: socket.socket) -> None:
    time.sleep(9)


# -- cancel --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (response('{"status": "OK"}', 200), CancelReply.REMOVED),
        (response('{"status": "CANCELLATION_REQUESTED"}', 202), CancelReply.REQUESTED),
        (response('{"success": true}', 200), CancelReply.REQUESTED),
        (response("", 204), CancelReply.REQUESTED),
        (response('{"status": "ALREADY_COMPLETED"}', 400), CancelReply.COMPLETED),
        (response('{"status": "NOT_FOUND"}', 404), CancelReply.NOT_FOUND),
    ],
)
async def test_cancel_tells_what_fal_answered(answer, reply, raw_fal):
    fal_server = raw_fal(always(answer))
    async with client() as fal:
        assert await asyncio.to_thread(fal.cancel, HANDLE) is reply
    assert {(each.method, each.target) for each in fal_server.received} == {
        ("PUT", "/fal-ai/vidu/requests/r-1/cancel")
    }
    assert fal_server.received[0].headers["authorization"] == f"Key {KEY}"


@pytest.mark.parametrize(
    "trouble",
    [
        response("nginx", 502),
        response("nginx", 503),
        response("no", 500),
        response("Too many", 429),
        response('{"status": "NOT_FOUND"}', 404),
        response('{"success": false}', 200),
        b"",
        silent,
    ],
    ids=name_of,
)
async def test_cancel_one_failure_is_tried_again_within_five_seconds(trouble, raw_fal):
    ok = response('{"status": "CANCELLATION_REQUESTED"}', 202)
    fal_server = raw_fal(in_turn(trouble, ok))
    started = time.monotonic()
    async with client() as fal:
        assert await asyncio.to_thread(fal.cancel, HANDLE) is CancelReply.REQUESTED
    assert time.monotonic() - started < 5
    assert len(fal_server.received) == 2


async def test_cancel_slow_answer_is_waited_for_beside_a_second_request(raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.cancel.SECOND_AFTER_S", 0.5)

    def respond(_: Received, connection: socket.socket) -> None:
        time.sleep(1.5)
        connection.sendall(response('{"status": "OK"}'))

    fal_server = raw_fal(respond)
    async with client() as fal:
        assert await asyncio.to_thread(fal.cancel, HANDLE) is CancelReply.REMOVED
    assert len(fal_server.received) >= 2


@pytest.mark.parametrize(
    "trouble",
    [
        response("nginx", 502),
        response("<html>400</html>", 400),
        response('{"success": false}', 200),
        silent,
        drip,
        endless(500),
    ],
    ids=name_of,
)
async def test_cancel_lasting_failure_raises_within_five_seconds(trouble, raw_fal):
    raw_fal(always(trouble) if isinstance(trouble, bytes) else trouble)
    started = time.monotonic()
    async with client() as fal:
        with pytest.raises(ServiceError):
            await asyncio.to_thread(fal.cancel, HANDLE)
    assert time.monotonic() - started < 5.5


# -- the money of a cancelled request ------------------------------------------------------------


@pytest.mark.parametrize(
    ("inference_time_s", "may_have_run", "units", "charge"),
    [
        (None, False, None, Charge.NOT_SPENT),
        (None, True, None, Charge.MAYBE_SPENT),
        (None, False, "0", Charge.NOT_SPENT),
        (None, False, "4", Charge.CHARGED),
        (3.2, False, None, Charge.MAYBE_SPENT),
        (3.2, True, "0", Charge.NOT_SPENT),
        (3.2, True, "1", Charge.CHARGED),
    ],
)
async def test_result_of_cancelled_request_tells_what_was_charged(
    inference_time_s, may_have_run, units, charge, raw_fal
):
    headers = [] if units is None else [f"x-fal-billable-units: {units}"]
    raw_fal(always(response('{"detail": "Request cancelled by the client."}', 499, *headers)))
    async with client() as fal:
        with pytest.raises(GenerationCancelledError) as caught:
            completed = Completed(failed=True, inference_time_s=inference_time_s)
            await fal.result(HANDLE, completed, may_have_run=may_have_run)
    assert caught.value.charge is charge


@pytest.mark.parametrize(
    ("units", "charge"),
    [(None, Charge.MAYBE_SPENT), ("0", Charge.NOT_SPENT), ("4", Charge.CHARGED)],
)
async def test_result_refused_by_the_model_shows_that_it_ran(units, charge, raw_fal):
    headers = [] if units is None else [f"x-fal-billable-units: {units}"]
    detail = [{"loc": ["body", "prompt"], "msg": "no", "type": "content_policy_violation"}]
    raw_fal(always(response(json.dumps({"detail": detail}), 422, *headers)))
    async with client() as fal:
        with pytest.raises(ContentPolicyError) as caught:
            await fal.result(HANDLE, Completed(failed=True), may_have_run=False)
    assert caught.value.charge is charge


@pytest.mark.parametrize(
    ("metrics", "seconds"),
    [({"inference_time": 3.5}, 3.5), ({"inference_time": 0}, None), ({}, None), (None, None)],
)
async def test_status_completed_tells_how_long_it_ran(metrics, seconds, raw_fal):
    body = {"status": "COMPLETED", "logs": None, "metrics": metrics, "error": "Cancelled"}
    raw_fal(always(response(json.dumps(body))))
    async with client() as fal:
        assert await fal.status(HANDLE) == Completed(failed=True, inference_time_s=seconds)


async def test_result_without_words_of_a_failed_request_is_its_end(raw_fal, monkeypatch):
    monkeypatch.setattr("vidu.fal.client.FAILED_RESULT_TIMEOUT_S", 0.1)
    raw_fal(always(response("Internal Server Error", 500)))
    async with client() as fal:
        with pytest.raises(GenerationError) as caught:
            await fal.result(HANDLE, Completed(failed=True), may_have_run=True)
    assert (caught.value.charge, caught.value.status_code) == (Charge.NOT_SPENT, 500)
