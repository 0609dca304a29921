"""A server dies in the middle of a shot, and another begins where it ended.

The second is given no key in its environment, and told to write no metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .conftest import Comfy, furnish, serving
from .front_end import dropped

NO_METADATA = "--disable-metadata"


@dataclass(frozen=True)
class Lives:
    """The second life of a server, and what the first had made.

    Attributes:
        comfy: The server that runs.
        saved: A prompt whose clip was saved.
        kept_clips: What it had played.
        cut_short: A prompt that was generating when the first server was ended.
    """

    comfy: Comfy
    saved: dict
    kept_clips: list[dict]
    cut_short: dict


@pytest.fixture(scope="module")
def fal() -> Iterator:
    import local_fal

    with local_fal.running(generation_seconds=0.5, clip_size=(96, 64), clip_frames=8) as fal:
        yield fal


def shot(**asked) -> dict:
    size = {"width": 96, "height": 64, "batch_size": 1, "color": 255}
    inputs = {"image": ["1", 0], "prompt": "The tide.", "seed": 1, "model": "Vidu"}
    inputs |= {"model.movement_amplitude": "auto"}
    inputs |= {"mode": "live", "filename_prefix": "video/Vidu", "max_cost": 5.0}
    return {
        "1": {"class_type": "EmptyImage", "inputs": size},
        "2": {"class_type": "FalViduImageToVideo", "inputs": inputs | asked},
    }


@pytest.fixture(scope="module")
def lives(fal, bare_environment, tmp_path_factory) -> Iterator[Lives]:
    base = furnish(tmp_path_factory.mktemp("lives"))
    way = {name: value for name, value in fal.environment.items() if name != "FAL_KEY"}
    saved, cut_short = shot(), shot(seed=2)
    with serving(base, fal.environment) as first:
        kept_clips = first.run(saved)["outputs"]["2"]["images"]
        fal.set_faults("slow:1")
        first.queue(cut_short)
        first.wait_for("progress_text", "Generating")
    fal.set_faults("")
    with serving(base, way, NO_METADATA) as second:
        yield Lives(second, saved, kept_clips, cut_short)


@pytest.fixture
def stored_key(lives, fal) -> Iterator[str]:
    """The key, as the settings panel stores it."""
    lives.comfy.http.post("/vidu/key", json={"key": fal.key}).raise_for_status()
    yield fal.key
    lives.comfy.http.delete("/vidu/key").raise_for_status()


def jobs_of(fal, prompt: dict) -> list[dict]:
    seed = prompt["2"]["inputs"]["seed"]
    return [job for job in fal.ledger()["jobs"] if job["input"]["seed"] == seed]


def test_node_without_a_key_is_refused(lives):
    refused = lives.comfy.post(lives.saved)
    assert refused.status_code == 400
    (error,) = refused.json()["node_errors"]["2"]["errors"]
    assert "There is no fal key" in error["details"]
    assert "Settings > Vidu, or as the environment variable FAL_KEY" in error["details"]


def test_node_draft_needs_no_key_and_can_leave_out_metadata(lives, fal):
    asked = len(fal.ledger()["requests"])
    history = lives.comfy.run(shot(mode="draft", max_frames=1), {"nodes": []})
    assert history["status"]["status_str"] == "success"
    (clip,) = history["outputs"]["2"]["images"]
    assert dropped(lives.comfy.output / clip["subfolder"] / clip["filename"]) == {}
    assert len(fal.ledger()["requests"]) == asked


def test_node_saved_clip_is_free_after_a_restart(lives, fal, stored_key):
    history = lives.comfy.run(lives.saved)
    assert history["outputs"]["2"]["images"] == lives.kept_clips
    assert len(jobs_of(fal, lives.saved)) == 1


def test_node_shot_cut_short_by_a_restart_is_resumed(lives, fal, stored_key):
    history = lives.comfy.run(lives.cut_short)
    assert history["status"]["status_str"] == "success"
    (job,) = jobs_of(fal, lives.cut_short)
    assert job["cancels"] == 0
    assert job["billed"]


def test_stored_key_appears_only_in_its_file(lives, stored_key):
    comfy = lives.comfy
    refused = comfy.run(shot(prompt="Told nowhere."))
    asked = ["/history", "/settings", "/vidu/state", "/vidu/clips", "/userdata?dir=&recurse=true"]
    answers = [comfy.http.get(address).text for address in asked] + [str(refused)]
    assert not [answer for answer in answers if stored_key in answer]
    files = (path for path in comfy.base.glob("**/*") if path.is_file())
    holding = [path.name for path in files if stored_key.encode() in path.read_bytes()]
    assert holding == ["fal_key"]


def test_node_key_that_fal_refuses_is_named(lives, fal):
    """A key that was good when it was stored: Settings > Vidu stores no other."""
    wrong = fal.key[:-1] + ("0" if fal.key[-1] != "0" else "1")
    stored = lives.comfy.base / "user" / "__fal_vidu" / "fal_key"
    stored.write_text(wrong, encoding="ascii")
    history = lives.comfy.run(shot(seed=9))
    lives.comfy.http.delete("/vidu/key").raise_for_status()
    kind, told = history["status"]["messages"][-1]
    assert kind == "execution_error"
    assert told["exception_type"] == "vidu.RejectedKeyError"
    assert "Check the key at fal.ai/dashboard/keys" in told["exception_message"]
    assert wrong not in str(history)
    assert not jobs_of(fal, shot(seed=9))
