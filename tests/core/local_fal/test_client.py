"""The real fal-client, unmodified, in a process of its own with three variables and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import local_fal

START = """
import asyncio, io, json, os, sys, httpx
import fal_client
from PIL import Image
ENDPOINT = "fal-ai/vidu/image-to-video"
file = io.BytesIO()
Image.new("RGB", (64, 36), "teal").save(file, "PNG")
PICTURE = file.getvalue()
def given():
    return {"prompt": "a wave", "image_url": fal_client.upload(PICTURE, "image/png", "a.png")}
"""

WHOLE_WAY = """
handle = fal_client.submit(ENDPOINT, given())
states = {type(status).__name__ for status in handle.iter_events(with_logs=True)}
video = handle.get()["video"]
with httpx.Client() as http:
    clip = http.get(video["url"]).content
print(json.dumps([sorted(states), video["file_size"] == len(clip), clip[4:8].decode()]))
"""

WHOLE_WAY_ASYNC = """
async def main():
    client = fal_client.AsyncClient()
    url = await client.upload(PICTURE, "image/png", "a.png")
    handle = await client.submit(ENDPOINT, {"prompt": "a wave", "image_url": url})
    states = {type(status).__name__ async for status in handle.iter_events(with_logs=True)}
    video = (await handle.get())["video"]
    async with httpx.AsyncClient() as http:
        clip = (await http.get(video["url"])).content
    print(json.dumps([sorted(states), video["file_size"] == len(clip), clip[4:8].decode()]))
asyncio.run(main())
"""

SUBMIT = """
try:
    print(json.dumps(fal_client.submit(ENDPOINT, {}).request_id))
except Exception as problem:
    print(json.dumps([type(problem).__name__, str(problem)]))
"""

CANCEL = """
handle = fal_client.submit(ENDPOINT, {})
handle.cancel()
status = handle.status()
try:
    handle.get()
except fal_client.FalClientHTTPError as problem:
    print(json.dumps([status.error_type, problem.status_code]))
"""

SUBSCRIBE = """
try:
    fal_client.subscribe(ENDPOINT, arguments=given())
except fal_client.FalClientHTTPError as problem:
    print(json.dumps([problem.status_code, problem.message[0]["type"]]))
"""

RUN = """
print(json.dumps(sorted(fal_client.run(ENDPOINT, arguments=given()))))
"""


@pytest.fixture(scope="module")
def shared() -> Iterator:
    with local_fal.running(generation_seconds=0.3, clip_size=(64, 36), clip_frames=4) as fal:
        yield fal


@pytest.fixture
def fal(shared):
    shared.reset()
    return shared


@pytest.fixture
def play(fal) -> Callable[[str], object]:
    """Runs a scene and returns what it printed."""

    def play(scene: str) -> object:
        environment = {**os.environ, **fal.environment}
        done = subprocess.run(
            [sys.executable, "-c", START + scene], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return play


@pytest.mark.parametrize("scene", [WHOLE_WAY, WHOLE_WAY_ASYNC], ids=["sync", "async"])
def test_the_whole_way(fal, play, scene):
    states, whole, kind = play(scene)
    assert {"InProgress", "Completed"} <= set(states)
    assert (whole, kind) == (True, "ftyp")
    ledger = fal.ledger()
    assert ledger["counts"]["jobs"] == ledger["counts"]["uploads"] == 1
    (download,) = [entry for entry in ledger["requests"] if entry["path"].endswith("_output.mp4")]
    assert download["authorization"] == ""


def test_the_call_that_waits(play):
    assert play(RUN) == ["video"]


def test_a_cancel(fal, play):
    fal.set_faults("stuck_in_queue:1")
    assert play(CANCEL) == ["client_cancelled", 499]


def test_an_error_of_the_model(fal, play):
    fal.set_faults("content_policy_violation:1")
    assert play(SUBSCRIBE) == [422, "content_policy_violation"]


def test_a_dead_primary(fal, play):
    fal.set_faults("primary_dead")
    request_id = play(SUBMIT)
    ledger = fal.ledger()
    assert [job["request_id"] for job in ledger["jobs"]] == [request_id]
    assert ledger["counts"]["submits"] == {"queue.falrun.com": 1}


def test_a_reply_that_is_lost_makes_it_pay_again(fal, play):
    fal.set_faults("accepted_then_dropped:2")
    request_id = play(SUBMIT)
    jobs = fal.ledger()["jobs"]
    assert len(jobs) == 3
    assert jobs[-1]["request_id"] == request_id


@pytest.mark.parametrize("fault", ["accepted_then_dropped", "accepted_then_504"])
def test_a_reply_that_never_comes_makes_it_pay_ten_times(fal, play, fault):
    fal.set_faults(fault)
    # Its ten tries take most of a minute; the waits between them are cut, and nothing else.
    assert play("fal_client.client.BASE_DELAY = 0.001" + SUBMIT) != ""
    counts = fal.ledger()["counts"]
    assert (counts["jobs"], counts["submits"]) == (10, {"queue.fal.run": 10})


@pytest.mark.parametrize("fault", ["submit_429", "submit_502"])
def test_what_it_repeats(fal, play, fault):
    fal.set_faults(f"{fault}:2")
    assert isinstance(play(SUBMIT), str)
    counts = fal.ledger()["counts"]
    assert (counts["jobs"], counts["submits"]) == (1, {"queue.fal.run": 3})


@pytest.mark.parametrize("fault", ["submit_500", "user_locked", "accepted_then_500"])
def test_what_it_does_not_repeat(fal, play, fault):
    fal.set_faults(fault)
    name, _ = play(SUBMIT)
    assert name == "FalClientHTTPError"
    assert fal.ledger()["counts"]["submits"] == {"queue.fal.run": 1}


def test_an_upload_that_fails_is_masked_by_the_fallback(fal, play):
    fal.set_faults("upload_500")
    scene = "try: given()\nexcept Exception as problem: print(json.dumps(str(problem)))"
    assert "Invalid storage type" in play(scene)
