"""A still image on its whole way: made, in the library, back on the canvas, and into a clip."""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

MAKER = {
    "class_type": "FalViduImage",
    "inputs": {
        "prompt": "A lighthouse that stands still.",
        "model": "Q2",
        "model.aspect_ratio": "16:9",
        "seed": 5,
        "mode": "live",
        "filename_prefix": "stills/Tower",
        "max_cost": 5.0,
    },
}
WORKFLOW = {"nodes": [], "links": [], "version": 0.4}


def make_still(comfy) -> dict:
    """The library's card of a still that was just made."""
    history = comfy.run({"1": MAKER}, WORKFLOW)
    assert history["status"]["status_str"] == "success", history["status"]["messages"][-1]
    (shown,) = history["outputs"]["1"]["images"]
    assert shown["filename"].endswith(".png")
    page = comfy.http.get("/vidu/clips", params={"text": "that stands still"}).json()
    (card,) = page["clips"]
    return card


def test_still_is_saved_with_its_graph_and_shown_in_the_library(comfy, fal):
    card = make_still(comfy)
    (job,) = fal.ledger()["jobs"]
    assert (card["state"], card["model"], card["cost"]["usd"]) == ("saved", "Q2", job["price_usd"])
    assert (card["file"]["frame_count"], card["file"]["fps"]) == (1, 0)
    served = comfy.http.get(f"/vidu/clips/{card['id']}/file")
    assert served.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(served.content)) as still:
        assert still.size == (card["file"]["width"], card["file"]["height"])
        assert json.loads(still.text["workflow"]) == WORKFLOW
        assert json.loads(still.text["prompt"])["1"]["class_type"] == "FalViduImage"
    thumbnail = comfy.http.get(f"/vidu/clips/{card['id']}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    again = comfy.http.get(f"/vidu/clips/{card['id']}/rerun").json()
    assert again["has_workflow"]
    assert again["rerun"]["total"] == {"least": job["price_usd"], "most": job["price_usd"]}


def test_still_comes_back_from_the_saved_clip_node_and_costs_nothing(comfy, fal):
    card = make_still(comfy)
    before = fal.ledger()["counts"]["jobs"]
    history = comfy.run(
        {
            "1": {"class_type": "FalViduSavedClip", "inputs": {"request_id": card["request_id"]}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
            "3": {"class_type": "PreviewImage", "inputs": {"images": ["1", 3]}},
            "path": {"class_type": "PreviewAny", "inputs": {"source": ["1", 1]}},
        }
    )
    assert history["status"]["status_str"] == "success", history["status"]["messages"][-1]
    assert [len(history["outputs"][node]["images"]) for node in ("2", "3")] == [1, 1]
    assert Path(*history["outputs"]["path"]["text"]).name == card["file"]["name"]
    assert fal.ledger()["counts"]["jobs"] == before


def test_still_is_the_first_frame_of_a_clip(comfy, fal):
    clip = {
        "class_type": "FalViduImageToVideo",
        "inputs": {
            "image": ["1", 0],
            "prompt": "It begins to turn.",
            "model": "Q3 Turbo",
            "model.duration": 1,
            "model.resolution": "360p",
            "model.audio": False,
            "seed": 1,
            "mode": "live",
            "filename_prefix": "video/Tower",
            "max_cost": 5.0,
        },
    }
    history = comfy.run({"1": MAKER, "2": clip})
    assert history["status"]["status_str"] == "success", history["status"]["messages"][-1]
    endpoints = [job["endpoint"] for job in fal.ledger()["jobs"]]
    assert endpoints[-1] == "fal-ai/vidu/q3/image-to-video/turbo"
