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

ROUND_TRIP = """
handle = fal_client.submit(ENDPOINT, given())
states = {type(status).__name__ for status in handle.iter_events(with_logs=True)}
video = handle.get()["video"]
with httpx.Client() as http:
    clip = http.get(video["url"]).content
print(json.dumps([sorted(states), video["file_size"] == len(clip), clip[4:8].decode()]))
"""

ROUND_TRIP_ASYNC = """
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


@pytest.fixture(scope="module")
def shared() -> Iterator:
    with local_fal.running(generation_seconds=0.3, clip_size=(64, 36), clip_frames=4) as fal:
        yield fal


@pytest.fixture
def run_script(fal) -> Callable[[str], object]:
    """Runs a script in a process of its own and returns the JSON it printed."""

    def run_script(script: str) -> object:
        environment = {**os.environ, **fal.environment}
        done = subprocess.run(
            [sys.executable, "-c", START + script], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_script


@pytest.mark.parametrize("script", [ROUND_TRIP, ROUND_TRIP_ASYNC], ids=["sync", "async"])
def test_unmodified_client_uploads_submits_polls_and_downloads(fal, run_script, script):
    states, whole, kind = run_script(script)
    assert {"InProgress", "Completed"} <= set(states)
    assert (whole, kind) == (True, "ftyp")
    ledger = fal.ledger()
    assert ledger["counts"]["jobs"] == ledger["counts"]["uploads"] == 1
    (download,) = [entry for entry in ledger["requests"] if entry["path"].endswith("_output.mp4")]
    assert download["authorization"] == ""


def test_client_cancel_of_a_queued_job_raises_499(fal, run_script):
    fal.set_faults("stuck_in_queue:1")
    assert run_script(CANCEL) == ["client_cancelled", 499]


def test_client_subscribe_content_policy_violation_raises_422(fal, run_script):
    fal.set_faults("content_policy_violation:1")
    assert run_script(SUBSCRIBE) == [422, "content_policy_violation"]


def test_client_primary_dead_submits_through_the_backup_domain(fal, run_script):
    fal.set_faults("primary_dead")
    request_id = run_script(SUBMIT)
    ledger = fal.ledger()
    assert [job["request_id"] for job in ledger["jobs"]] == [request_id]
    assert ledger["counts"]["submits"] == {"queue.falrun.com": 1}


def test_client_lost_reply_pays_again_for_each_loss(fal, run_script):
    fal.set_faults("accepted_then_dropped:2")
    request_id = run_script(SUBMIT)
    jobs = fal.ledger()["jobs"]
    assert len(jobs) == 3
    assert jobs[-1]["request_id"] == request_id


@pytest.mark.parametrize("fault", ["accepted_then_dropped", "accepted_then_504"])
def test_client_reply_never_comes_pays_ten_times(fal, run_script, fault):
    fal.set_faults(fault)
    # Its ten tries take most of a minute; the waits between them are cut, and nothing else.
    assert run_script("fal_client.client.BASE_DELAY = 0.001" + SUBMIT) != ""
    counts = fal.ledger()["counts"]
    assert (counts["jobs"], counts["submits"]) == (10, {"queue.fal.run": 10})


@pytest.mark.parametrize("fault", ["submit_429", "submit_502"])
def test_client_submit_429_or_nginx_502_retries(fal, run_script, fault):
    fal.set_faults(f"{fault}:2")
    assert isinstance(run_script(SUBMIT), str)
    counts = fal.ledger()["counts"]
    assert (counts["jobs"], counts["submits"]) == (1, {"queue.fal.run": 3})


@pytest.mark.parametrize("fault", ["submit_500", "user_locked", "accepted_then_500"])
def test_client_submit_definite_error_does_not_retry(fal, run_script, fault):
    fal.set_faults(fault)
    name, _ = run_script(SUBMIT)
    assert name == "FalClientHTTPError"
    assert fal.ledger()["counts"]["submits"] == {"queue.fal.run": 1}


def test_client_upload_failure_is_masked_by_the_fallback(fal, run_script):
    fal.set_faults("upload_500")
    script = "try: given()\nexcept Exception as problem: print(json.dumps(str(problem)))"
    assert "Invalid storage type" in run_script(script)
