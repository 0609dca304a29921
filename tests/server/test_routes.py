"""What the web extension asks for over HTTP: whole answers, and nothing for other sites."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
from blocking_ledger import BlockingLedger
from PIL import Image
from websockets.sync.client import connect

from vidu.builders import image_to_video
from vidu.draft.render import render_clip
from vidu.ledger import Budget, UnreadableEntry
from vidu.models import Output, RequestHandle, SavedFile

from .conftest import HOME, read_event

ROOT = Path(__file__).resolve().parents[2]
READS = (
    "state",
    "jobs",
    "texts",
    "outcome",
    "clips",
    "clips/1/poster",
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
    ("POST", "clips/1/collect"),
    ("DELETE", "clips/1"),
)
KEY = "an-id-of-a-key:a-secret-of-a-key"


@pytest.fixture
def home(comfy) -> Path:
    """The pack's private folder; key and settings are gone after the test."""
    home = comfy.base / "user" / "__fal_vidu"
    home.mkdir(parents=True, exist_ok=True)
    yield home
    for name in ("fal_key", "settings.json"):
        (home / name).unlink(missing_ok=True)


@pytest.fixture
def saved(home, tmp_path, request) -> int:
    """The id of a row with a clip that was saved."""
    with Image.open(ROOT / "example_workflows" / "lighthouse.png") as image:
        pixels = image.convert("RGB").resize((320, 180))
    frame = np.asarray(pixels)
    path = tmp_path / "saved.mp4"
    render_clip(path, frame, seed=1, movement_amplitude="auto", size=(320, 180), frame_count=8)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    shot = image_to_video(frame, f"A 100% saved_clip of {request.node.name}", seed=4711)
    url = "https://queue.fal.run/fal-ai/vidu/requests/some-request"
    with BlockingLedger.open(home) as ledger:
        entry = ledger.mark_submitting(ledger.reserve(shot, Budget()), {})
        entry = ledger.mark_submitted(
            entry, RequestHandle(f"request-of-{request.node.name}", url, url, url)
        )
        entry = ledger.mark_finished(entry, Output("https://v3.fal.media/files/clip.mp4"))
        file = SavedFile(path, path.stat().st_size, sha256, 320, 180, 24.0, 8, 8 / 24)
        entry = ledger.mark_saved(entry, file)
    yield entry.id
    with BlockingLedger.open(home) as ledger:
        ledger.delete(UnreadableEntry(entry.id, "damaged by the test"))  # readable or not


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
def test_other_sites_are_refused(comfy, home, prefix, headers):
    for path in READS:
        assert comfy.http.get(prefix + path, headers=headers).status_code == 403
    for method, path in WRITES:
        answer = comfy.http.request(method, prefix + path, headers=headers, json={"key": KEY})
        assert answer.status_code == 403
    assert not (home / "fal_key").exists()


@pytest.mark.parametrize("method, path", [way for way in WRITES if way[0] == "POST"])
def test_only_json_is_taken(comfy, home, method, path):
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


def test_no_answer_allows_another_origin(comfy, saved):
    for path in ("state", "jobs", "clips", f"clips/{saved}/poster", f"clips/{saved}/file"):
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


def test_no_word_of_a_shot_is_on_the_socket(comfy, fal, shot):
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


def test_every_web_script_is_fetched_anew_after_an_update(comfy):
    scripts = [path for path in comfy.http.get("/extensions").json() if "vidu-on-fal" in path]
    assert len(scripts) == len(list((ROOT / "web").glob("*.js")))
    for path in [*scripts, "/extensions/vidu-on-fal/vidu.css"]:
        assert comfy.http.get(path).headers["cache-control"] == "no-store", path
    assert not list((ROOT / "web").glob("**/*.mjs"))


def test_a_foreign_word_reaches_the_node_as_text(comfy, fal, shot):
    fal.set_faults("content_policy_violation:1")
    comfy.run(shot(seed=22))
    sent = [event.data["raw"] for event in comfy.events if event.kind == "progress_text"]
    words = "\n".join(sent)
    assert words
    assert not re.search(r"[<>*_`\[\]!]", words.replace("  \n", " "))


def test_the_key_goes_in_and_never_out(comfy, home, fal):
    answer = comfy.http.post("/vidu/key", json={"key": f' "{fal.key}"\n'})
    assert answer.status_code == 200
    stored = home / "fal_key"
    assert stored.read_text(encoding="ascii") == fal.key
    if os.name == "posix":
        assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert fal.key.partition(":")[2] not in answer.text + comfy.http.get("/vidu/state").text
    assert comfy.http.delete("/vidu/key").status_code == 200
    assert not stored.exists()


@pytest.mark.parametrize("key", ["", "no colon", "a:b:c", "a:\u00fc", "x" * 2000])
def test_what_can_not_be_a_key_is_refused_in_words(comfy, home, key):
    answer = comfy.http.post("/vidu/key", json={"key": key})
    assert answer.status_code == 400
    assert answer.text
    assert not (home / "fal_key").exists()


@pytest.mark.parametrize("form", ["Key {}", "FAL_KEY={}", '"{}"', "Authorization: Key {}"])
def test_key_is_understood_as_it_is_pasted(comfy, home, fal, form):
    answer = comfy.http.post("/vidu/key", json={"key": form.format(fal.key)})
    assert answer.json()["key"]["checked"] is True
    assert (home / "fal_key").read_text(encoding="ascii") == fal.key


def test_key_that_fal_refuses_is_not_stored(comfy, home, fal):
    answer = comfy.http.post("/vidu/key", json={"key": "a-wrong-id:a-wrong-secret"})
    assert answer.status_code == 400
    assert "dashboard/keys" in answer.json()["error"]
    assert not (home / "fal_key").exists()


def test_the_key_is_checked_for_free(comfy, home, fal):
    fal.reset()
    answer = comfy.http.post("/vidu/key/check", json={})
    assert answer.json() == {"accepted": True}
    assert not fal.ledger()["jobs"]


@pytest.mark.parametrize("usd", [-1, 1e9, "12", True, None, [], {}])
def test_a_budget_is_an_amount_of_money(comfy, home, usd):
    assert comfy.http.post("/vidu/budget", json={"daily_usd": usd}).status_code == 400
    assert not (home / "settings.json").exists()


def test_the_budget_is_stored_beside_the_other_settings(comfy, home):
    (home / "settings.json").write_text('{"clip_limit_mb": 7}', encoding="utf-8")
    answer = comfy.http.post("/vidu/budget", json={"daily_usd": 2.4})
    assert answer.json()["daily_budget_usd"] == 2.4
    written = (home / "settings.json").read_text(encoding="utf-8")
    assert '"clip_limit_mb": 7' in written
    assert '"daily_budget_usd": 2.4' in written


def test_a_clip_is_found_by_what_is_known_of_it(comfy, saved, request):
    def found(**query) -> list[int]:
        page = comfy.http.get("/vidu/clips", params=query).raise_for_status().json()
        return [clip["id"] for clip in page["clips"]]

    assert found()[0] == saved
    for text in ("100% SAVED_clip", "4711", f"request-of-{request.node.name}"):
        assert found(text=text) == [saved], text
    assert saved in found(state="saved")
    assert saved not in found(state="unfinished") + found(state="failed")
    assert found(text="100_ saved_clip") == []  # neither % nor _ is a wildcard
    assert found(text="' OR 1=1 --") == []
    assert saved not in found(offset=1, limit=5)


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "-1"},
        {"limit": "201"},
        {"offset": "x"},
        {"offset": "1e3"},
        {"state": "lost"},
        {"text": "x" * 2000},
    ],
    ids=str,
)
def test_a_strange_question_is_refused(comfy, query):
    assert comfy.http.get("/vidu/clips", params=query).status_code == 400


def test_the_poster_is_small_and_made_once(comfy, home, saved):
    first = comfy.http.get(f"/vidu/clips/{saved}/poster")
    assert first.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(first.content)) as poster:
        assert poster.size == (320, 180)
    (path,) = (home / "posters").glob("*.jpg")
    made_at = path.stat().st_ino
    assert comfy.http.get(f"/vidu/clips/{saved}/poster").content == first.content
    assert path.stat().st_ino == made_at


def test_a_kept_file_is_served_whole_and_by_range(comfy, home, saved):
    with BlockingLedger.open(home) as ledger:
        data = ledger.get(saved).file.path.read_bytes()
    whole = comfy.http.get(f"/vidu/clips/{saved}/file")
    assert (whole.content, whole.headers["content-type"]) == (data, "video/mp4")
    part = comfy.http.get(f"/vidu/clips/{saved}/file", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])


def test_the_workflow_is_read_from_the_file(comfy, home, saved, fal, shot):
    assert comfy.http.get(f"/vidu/clips/{saved}/workflow").json() == {"workflow": None}
    workflow = {"nodes": [], "links": [], "version": 0.4}
    ran = comfy.run(shot(prompt="It carries its graph.", seed=3), workflow)
    assert ran["status"]["completed"], ran["status"]
    (card,) = comfy.http.get("/vidu/clips", params={"text": "carries its graph"}).json()["clips"]
    read = comfy.http.get(f"/vidu/clips/{card['id']}/workflow").json()
    assert read == {"workflow": workflow}


def test_only_files_of_the_ledger_are_served(comfy, home, saved):
    with BlockingLedger.open(home) as ledger:
        ledger.get(saved).file.path.unlink()
    answers = [f"clips/{saved}/file", f"clips/{saved}/poster", "clips/999999/file", "clips/x/file"]
    answers += ["clips/..%2f..%2ffal_key/file", "clips/1/../../../settings.json"]
    assert {comfy.http.get(f"/vidu/{path}").status_code for path in answers} == {404}
    (card,) = comfy.http.get("/vidu/clips", params={"text": "4711"}).json()["clips"]
    assert card["file"]["exists"] is False


def test_forgetting_leaves_the_file(comfy, home, saved):
    with BlockingLedger.open(home) as ledger:
        path = ledger.get(saved).file.path
    assert comfy.http.delete(f"/vidu/clips/{saved}").status_code == 200
    assert path.exists()
    assert comfy.http.delete(f"/vidu/clips/{saved}").status_code == 404


def test_a_missing_file_is_fetched_again_by_the_saved_clip_node(comfy, home, fal, shot):
    made = comfy.run(shot(prompt="Fetched twice.", seed=12))
    assert made["status"]["completed"], made["status"]
    (job,) = [job for job in fal.ledger()["jobs"] if job["input"]["prompt"] == "Fetched twice."]
    with BlockingLedger.open(home) as ledger:
        (entry,) = ledger.get_by_prefix(job["request_id"])
    entry.file.path.unlink()
    saved = {"class_type": "FalViduSavedClip", "inputs": {"request_id": job["request_id"]}}
    again = comfy.run({"1": saved})
    assert again["status"]["completed"], again["status"]
    with BlockingLedger.open(home) as ledger:
        (entry,) = ledger.get_by_prefix(job["request_id"])
    assert entry.file.path.exists()
    jobs = [job for job in fal.ledger()["jobs"] if job["input"]["prompt"] == "Fetched twice."]
    assert len(jobs) == 1


@pytest.mark.parametrize("request_id", ["", "draft-0123", "no-such-request"])
def test_a_saved_clip_that_is_none_is_refused_before_the_run(comfy, request_id):
    saved = {"class_type": "FalViduSavedClip", "inputs": {"request_id": request_id}}
    answer = comfy.post({"1": saved})
    assert answer.status_code == 400
    assert "library" in answer.json()["node_errors"]["1"]["errors"][0]["details"]


def test_a_clip_at_work_in_another_program_is_not_forgotten(comfy, home, saved, monkeypatch):
    monkeypatch.setenv("VIDU_HOME", str(comfy.base / HOME))
    with BlockingLedger.open(home) as ledger:
        fingerprint = ledger.get(saved).fingerprint

        async def while_it_runs():
            async with ledger.lock_shot(fingerprint, lambda _: None):
                return await asyncio.to_thread(comfy.http.delete, f"/vidu/clips/{saved}")

        assert asyncio.run(while_it_runs()).status_code == 409
        assert ledger.get(saved) is not None


def test_polls_are_not_in_the_log(comfy, fal, shot):
    before = len(comfy.log.read_text(encoding="utf-8"))
    comfy.run(shot(seed=23))
    logged = comfy.log.read_text(encoding="utf-8")[before:]
    assert "/status" not in logged
    assert logged.count("HTTP Request: POST") >= 1


def test_damaged_row_is_one_card(comfy, home, saved):
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET options = '{' WHERE id = ?", (saved,))
        db.commit()
    cards = comfy.http.get("/vidu/clips").raise_for_status().json()["clips"]
    (card,) = [card for card in cards if card["id"] == saved]
    assert card == {"id": saved, "state": "unreadable", "actions": []}
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET options = '{}' WHERE id = ?", (saved,))
        db.commit()


@pytest.mark.parametrize("sha256", ["../../fal_key", "", "A" * 64, "0" * 63])
def test_hash_of_a_row_names_no_file(comfy, home, saved, sha256):
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET sha256 = ? WHERE id = ?", (sha256, saved))
        db.commit()
    assert comfy.http.get(f"/vidu/clips/{saved}/poster").status_code in (404, 502)


def test_row_cannot_name_a_file_that_is_no_clip(comfy, home, saved, tmp_path):
    other = tmp_path / "passwords.txt"
    other.write_text("secret")
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET path = ? WHERE id = ?", (str(other), saved))
        db.commit()
    assert comfy.http.get(f"/vidu/clips/{saved}/file").status_code == 404


def test_endless_seconds_do_not_blank_the_library(comfy, home, saved):
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute("UPDATE entries SET duration_s = 9e999, fps = -9e999 WHERE id = ?", (saved,))
        db.commit()
    text = comfy.http.get("/vidu/clips").raise_for_status().text
    assert "Infinity" not in text
    assert [card for card in json.loads(text)["clips"] if card["id"] == saved]


def test_rerun_names_node_clips_and_sum(comfy, home, fal, shot):
    workflow = {"nodes": [], "links": [], "version": 0.4}
    prompt = shot(prompt="Again, please.", seed=77)
    ran = comfy.run(prompt, workflow)
    assert ran["status"]["completed"], ran["status"]
    (card,) = comfy.http.get("/vidu/clips", params={"text": "Again, please"}).json()["clips"]
    answer = comfy.http.get(f"/vidu/clips/{card['id']}/rerun").json()
    assert answer["has_workflow"] is True
    assert answer["rerun"] == {
        "node_id": "2",
        "seed_input": "seed",
        "clips": 1,
        "usd": 0.2,
        "certain": True,
        "at_least": False,
    }


def test_rerun_is_not_offered_where_the_node_cannot_be_told(comfy, home, fal, shot):
    prompt = shot(prompt="Two of me.", seed=78)
    prompt["3"] = prompt["2"]
    ran = comfy.run(prompt, {"nodes": [], "links": [], "version": 0.4})
    assert ran["status"]["completed"], ran["status"]
    (card,) = comfy.http.get("/vidu/clips", params={"text": "Two of me"}).json()["clips"]
    answer = comfy.http.get(f"/vidu/clips/{card['id']}/rerun").json()
    assert answer == {"has_workflow": True, "rerun": None}


def test_rerun_of_a_clip_without_a_workflow_is_not_offered(comfy, saved):
    answer = comfy.http.get(f"/vidu/clips/{saved}/rerun").json()
    assert answer == {"has_workflow": False, "rerun": None}


def test_prices_know_what_the_last_run_saved(comfy, fal, shot):
    prompt = shot(seed=79)
    before = comfy.http.post("/vidu/prices", json={"prompt": prompt}).json()["prices"]
    comfy.run(prompt)
    after = comfy.http.post("/vidu/prices", json={"prompt": prompt}).json()["prices"]
    assert before["2"] == {"kind": "exact", "usd": 0.2, "count": 1}
    assert after["2"] == {"kind": "saved", "usd": 0.0, "count": None}


def test_outcome_after_cancel_says_what_became_of_the_money(comfy, fal, shot):
    fal.set_faults("slow:1")
    prompt_id = comfy.queue(shot(seed=80))
    comfy.wait_for("progress_text", "Generating")
    comfy.interrupt(prompt_id)
    comfy.wait(prompt_id)
    answer = comfy.http.get("/vidu/outcome", params={"prompt_id": prompt_id}).json()
    assert answer == {"nodes": {"2": [{"outcome": "unknown", "usd": 0.2}]}}
