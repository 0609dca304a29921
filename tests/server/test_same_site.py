"""What the pack's routes let out: nothing for other sites, other pages or the log."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.sync.client import connect

from .conftest import read_event

ROOT = Path(__file__).resolve().parents[2]
READS = (
    "state",
    "jobs",
    "texts",
    "outcome",
    "clips",
    "clips/1/thumbnail",
    "clips/1/file",
    "clips/1/workflow",
    "clips/1/rerun",
)
WRITES = (
    ("POST", "key"),
    ("DELETE", "key"),
    ("POST", "key/check"),
    ("POST", "budget"),
    ("POST", "prices"),
    ("POST", "accept-loss"),
    ("POST", "clips/1/resume"),
    ("DELETE", "clips/1"),
)
KEY = "an-id-of-a-key:a-secret-of-a-key"


@pytest.mark.parametrize("prefix", ["/vidu/", "/api/vidu/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_routes_refuse_other_sites(comfy, home, prefix, headers):
    for path in READS:
        assert comfy.http.get(prefix + path, headers=headers).status_code == 403
    for method, path in WRITES:
        answer = comfy.http.request(method, prefix + path, headers=headers, json={"key": KEY})
        assert answer.status_code == 403
    assert not (home / "fal_key").exists()


@pytest.mark.parametrize("method, path", [way for way in WRITES if way[0] == "POST"])
def test_routes_take_only_json(comfy, home, method, path):
    """A form of another site can be sent without being asked for; JSON cannot."""
    kinds = ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x")
    for kind in kinds:
        answer = comfy.http.request(
            method, f"/vidu/{path}", content='{"key": "a:b"}', headers={"Content-Type": kind}
        )
        assert answer.status_code == 415
    for body in ("", "[]", '"x"', "{", '{"key": 1}' if path == "key" else "1"):
        answer = comfy.http.request(
            method, f"/vidu/{path}", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400
    assert not (home / "fal_key").exists()


def test_routes_allow_no_other_origin(comfy, saved):
    for path in ("state", "jobs", "clips", f"clips/{saved}/thumbnail", f"clips/{saved}/file"):
        headers = comfy.http.get(f"/vidu/{path}").headers
        assert "access-control-allow-origin" not in headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "host, status",
    [
        ("evil.example", 403),
        ("evil.example:8188", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("", 200),
        ("127.0.0.1:8188", 200),
        ("192.168.1.7", 200),
        ("[::1]:8188", 200),
        ("localhost", 200),
        ("renderbox:8188", 200),
        ("studio.local", 200),
        ("studio.home.arpa:8188", 200),
    ],
)
def test_routes_answer_only_to_names_of_this_machine(comfy, host, status):
    """A name of someone else's that is rebound to this machine is one origin with it."""
    for prefix in ("/vidu", "/api/vidu"):
        answer = comfy.http.get(f"{prefix}/state", headers={"Host": host})
        assert answer.status_code == status
        assert "VIDU_ALLOWED_HOSTS" in answer.text or status == 200


def test_socket_events_repeat_nothing_of_a_shot(comfy, fal, shot):
    prompt = shot(prompt="A secret plot.", seed=987_654)
    comfy.run(prompt)
    sent = [event.data for event in comfy.events if event.kind == "vidu.jobs"]
    assert sent
    assert {json.dumps(data) for data in sent} == {"{}"}


def test_progress_text_goes_to_the_client_that_runs_the_prompt(comfy, fal, shot):
    address = f"{comfy.url.replace('http', 'ws')}/ws?clientId=somebody-else"
    with connect(address, max_size=None, proxy=None) as other:
        comfy.run(shot(seed=21))
        heard = []
        with suppress(TimeoutError):
            while True:
                heard.append(read_event(other.recv(timeout=1)))
    assert comfy.texts()
    assert not [event for event in heard if event.kind == "progress_text"]


def test_web_scripts_are_revalidated_after_an_update(comfy):
    scripts = [path for path in comfy.http.get("/extensions").json() if "vidu-on-fal" in path]
    assert len(scripts) == len(list((ROOT / "web").glob("*.js")))
    for path in [*scripts, "/extensions/vidu-on-fal/vidu.css"]:
        assert comfy.http.get(path).headers["cache-control"] == "no-store", path
    assert not list((ROOT / "web").glob("**/*.mjs"))


def test_node_text_with_markup_is_shown_as_text(comfy, fal, shot):
    fal.set_faults("content_policy_violation:1")
    comfy.run(shot(seed=22))
    sent = [event.data["raw"] for event in comfy.events if event.kind == "progress_text"]
    words = "\n".join(sent)
    assert words
    assert not re.search(r"[<>*_`\[\]!]", words.replace("  \n", " "))


def test_polls_of_the_routes_are_not_in_the_log(comfy, fal, shot):
    before = len(comfy.log.read_text(encoding="utf-8"))
    comfy.run(shot(seed=23))
    logged = comfy.log.read_text(encoding="utf-8")[before:]
    assert "/status" not in logged
    assert logged.count("HTTP Request: POST") >= 1
