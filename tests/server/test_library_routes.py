"""The library over HTTP: entries, their files, what can be done with one."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger
from PIL import Image

from .conftest import HOME

ROOT = Path(__file__).resolve().parents[2]


def test_entries_route_finds_a_clip_by_prompt_seed_or_id(comfy, saved, request):
    def found(**query) -> list[int]:
        page = comfy.http.get("/vidu/clips", params=query).raise_for_status().json()
        return [clip["id"] for clip in page["clips"]]

    assert found()[0] == saved
    for text in ("100% SHARP clip", "4711", f"request-of-{request.node.name}"):
        assert found(text=text) == [saved], text
    assert saved in found(state="saved")
    assert saved not in found(state="unfinished") + found(state="failed")
    assert found(text="100_ sharp clip") == []  # neither % nor _ is a wildcard
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
def test_entries_route_strange_query_is_refused(comfy, query):
    assert comfy.http.get("/vidu/clips", params=query).status_code == 400


def test_thumbnail_route_is_small_and_made_once(comfy, home, saved):
    first = comfy.http.get(f"/vidu/clips/{saved}/thumbnail")
    assert first.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(first.content)) as thumbnail:
        assert thumbnail.size == (320, 180)
    (path,) = (home / "thumbnails").glob("*.jpg")
    made_at = path.stat().st_ino
    assert comfy.http.get(f"/vidu/clips/{saved}/thumbnail").content == first.content
    assert path.stat().st_ino == made_at


def test_file_route_serves_a_saved_file_whole_and_by_range(comfy, home, saved):
    with BlockingLedger.open(home) as ledger:
        data = ledger.get(saved).file.path.read_bytes()
    whole = comfy.http.get(f"/vidu/clips/{saved}/file")
    assert (whole.content, whole.headers["content-type"]) == (data, "video/mp4")
    part = comfy.http.get(f"/vidu/clips/{saved}/file", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])


def test_workflow_route_reads_it_from_the_file(comfy, home, saved, fal, shot):
    assert comfy.http.get(f"/vidu/clips/{saved}/workflow").json() == {"workflow": None}
    workflow = {"nodes": [], "links": [], "version": 0.4}
    ran = comfy.run(shot(prompt="It carries its graph.", seed=3), workflow)
    assert ran["status"]["completed"], ran["status"]
    (card,) = comfy.http.get("/vidu/clips", params={"text": "carries its graph"}).json()["clips"]
    read = comfy.http.get(f"/vidu/clips/{card['id']}/workflow").json()
    assert read == {"workflow": workflow}


def test_file_route_serves_only_files_of_the_ledger(comfy, home, saved):
    with BlockingLedger.open(home) as ledger:
        ledger.get(saved).file.path.unlink()
    answers = [
        f"clips/{saved}/file",
        f"clips/{saved}/thumbnail",
        "clips/999999/file",
        "clips/x/file",
    ]
    answers += ["clips/..%2f..%2ffal_key/file", "clips/1/../../../settings.json"]
    assert {comfy.http.get(f"/vidu/{path}").status_code for path in answers} == {404}
    (card,) = comfy.http.get("/vidu/clips", params={"text": "4711"}).json()["clips"]
    assert card["file"]["exists"] is False


def test_forget_route_leaves_the_file(comfy, home, saved):
    with BlockingLedger.open(home) as ledger:
        path = ledger.get(saved).file.path
    assert comfy.http.delete(f"/vidu/clips/{saved}").status_code == 200
    assert path.exists()
    assert comfy.http.delete(f"/vidu/clips/{saved}").status_code == 404


def test_saved_clip_node_downloads_a_missing_file_again(comfy, home, fal, shot):
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
def test_saved_clip_node_unknown_id_is_refused_before_the_run(comfy, request_id):
    saved = {"class_type": "FalViduSavedClip", "inputs": {"request_id": request_id}}
    answer = comfy.post({"1": saved})
    assert answer.status_code == 400
    assert "library" in answer.json()["node_errors"]["1"]["errors"][0]["details"]


def test_forget_route_of_a_shot_at_work_elsewhere_is_refused(comfy, home, saved, monkeypatch):
    monkeypatch.setenv("VIDU_HOME", str(comfy.base / HOME))
    with BlockingLedger.open(home) as ledger:
        fingerprint = ledger.get(saved).fingerprint

        async def while_it_runs():
            async with ledger.lock_shot(fingerprint, lambda _: None):
                return await asyncio.to_thread(comfy.http.delete, f"/vidu/clips/{saved}")

        assert asyncio.run(while_it_runs()).status_code == 409
        assert ledger.get(saved) is not None


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
        "total": {"least": 0.2, "most": 0.2},
        "problem": None,
    }
    comfy.http.post("/vidu/budget", json={"daily_usd": 0.1}).raise_for_status()
    answer = comfy.http.get(f"/vidu/clips/{card['id']}/rerun").json()
    assert "of today's $0.10 is spent or reserved" in answer["rerun"]["problem"]


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


def test_clip_of_another_machine_is_served_from_the_same_place_below_this_output_folder(
    comfy, home, saved
):
    with BlockingLedger.open(home) as ledger:
        content = ledger.get(saved).file.path.read_bytes()
    place = comfy.output / "shots" / "from_the_mac.mp4"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    row = ("/Volumes/film/shots/from_the_mac.mp4", "shots/from_the_mac.mp4", "mac-7")
    change(home, saved, "path = ?, relative_path = ?, host = ?", *row)
    served = comfy.http.get(f"/vidu/clips/{saved}/file").raise_for_status()
    assert served.content == content
    comfy.http.get(f"/vidu/clips/{saved}/thumbnail").raise_for_status()
    (card,) = comfy.http.get("/vidu/clips", params={"machine": "mac-7"}).json()["clips"]
    assert (card["file"]["exists"], card["state"], card["machine"]) == (True, "saved", "mac-7")
    for elsewhere in ("../input/from_the_mac.mp4", "shots/../../input/from_the_mac.mp4"):
        (comfy.base / "input" / "from_the_mac.mp4").write_bytes(content)
        change(home, saved, "relative_path = ?", elsewhere)
        assert comfy.http.get(f"/vidu/clips/{saved}/file").status_code == 404


def change(home, entry_id: int, columns: str, *values: str) -> None:
    with closing(sqlite3.connect(home / "ledger.sqlite")) as db:
        db.execute(f"UPDATE entries SET {columns} WHERE id = ?", (*values, entry_id))
        db.commit()
