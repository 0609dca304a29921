"""Cancel, wherever a shot is on its way; and what ends a prompt and is not a Cancel."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

CANCELLED = 499
INTERRUPTED = "execution_interrupted"
FAILED = "execution_error"
DONE = "execution_success"


def ending(history: dict) -> str:
    """How a prompt ended; what follows an ending would be a second one."""
    kinds = [kind for kind, _ in history["status"]["messages"]]
    endings = [kind for kind in kinds if kind in (INTERRUPTED, FAILED, DONE)]
    assert endings == kinds[-1:]
    return kinds[-1]


def until(happened: Callable[[], object], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def jobs(fal) -> list[dict]:
    return fal.ledger()["jobs"]


def all_ended(fal) -> bool:
    return all(job["state"] == "COMPLETED" for job in jobs(fal))


@pytest.fixture
def pair(shot) -> dict:
    """Two shots in one prompt, side by side."""
    return shot() | {"3": shot(seed=2)["2"]}


@pytest.fixture
def beside(shot, tmp_path) -> Callable[[str], dict]:
    """A shot beside a node that fails, or takes the interrupt, once `tmp_path` holds "go"."""

    def build(then: str) -> dict:
        inputs = {"folder": str(tmp_path), "then": then}
        return shot() | {"3": {"class_type": "Bystander", "inputs": inputs}}

    return build


def test_cancel_while_uploading_sends_nothing(comfy, fal, shot):
    fal.set_faults("upload_timeout:1")
    prompt_id = comfy.queue(shot())
    until(lambda: fal.ledger()["counts"]["uploads"])
    comfy.interrupt()
    assert ending(comfy.wait(prompt_id)) == INTERRUPTED
    assert not jobs(fal)
    assert ending(comfy.run(shot())) == DONE
    assert len(jobs(fal)) == 1


def test_cancel_while_the_post_is_unanswered_finds_the_request_and_never_repeats_it(
    comfy, fal, shot
):
    fal.set_faults("accepted_but_silent:1")
    prompt_id = comfy.queue(shot())
    until(lambda: jobs(fal))
    comfy.interrupt()
    assert ending(comfy.wait(prompt_id)) == INTERRUPTED
    assert not fal.ledger()["counts"]["listings"], "stopped before its reply was given up"
    until(lambda: all_ended(fal))
    assert ending(comfy.run(shot())) == DONE
    assert len(jobs(fal)) == 1


@pytest.mark.parametrize(
    ("fault", "text"),
    [("stuck_in_queue:1", "In fal's queue, 0 ahead"), ("slow:1", "Generating (1 s)")],
    ids=["queued", "generating"],
)
def test_cancel_while_generating_cancels_at_fal(comfy, fal, shot, fault, text):
    fal.set_faults(fault)
    prompt_id = comfy.queue(shot())
    comfy.wait_for("progress_text", text)
    comfy.interrupt()
    assert ending(comfy.wait(prompt_id)) == INTERRUPTED
    (job,) = jobs(fal)
    assert job["cancels"] == 1
    assert job["status_code"] == CANCELLED
    assert ending(comfy.run(shot())) == DONE
    assert [job["billed"] for job in jobs(fal)] == [False, True]


def test_cancel_while_downloading_leaves_the_clip_to_the_next_run(comfy, fal, shot):
    fal.set_faults("download_stalled:1")
    prompt_id = comfy.queue(shot())
    comfy.wait_for("progress_text", "Downloading")
    comfy.interrupt()
    assert ending(comfy.wait(prompt_id)) == INTERRUPTED
    assert fal.ledger()["counts"]["downloads"] == 1, "stopped before it was tried again"
    assert not jobs(fal)[0]["cancels"]
    assert ending(comfy.run(shot())) == DONE
    assert len(jobs(fal)) == 1
    assert not list(comfy.output.glob("**/.*"))


def test_cancel_while_drawing_drafts_stops_them(comfy, shot):
    """Drafts are as large as Vidu's clips, so that drawing two takes its time."""
    size = {"width": 96, "height": 64, "batch_size": 1}
    prompt = shot(mode="draft", image=["both", 0])
    for node, color in (("red", 0xFF0000), ("blue", 0x0000FF)):
        prompt[node] = {"class_type": "EmptyImage", "inputs": {**size, "color": color}}
    both = {"image1": ["red", 0], "image2": ["blue", 0]}
    prompt["both"] = {"class_type": "ImageBatch", "inputs": both}
    prompt["shown"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}
    prompt_id = comfy.queue(prompt)
    comfy.wait_for("progress_text", "Drawing the draft")
    comfy.interrupt()
    assert ending(comfy.wait(prompt_id)) == INTERRUPTED


def test_cancel_with_two_nodes_running_reaches_both(comfy, fal, pair):
    """The host shows it to the first that looks, and tears the other down."""
    fal.set_faults("slow:2")
    prompt_id = comfy.queue(pair)
    for node in ("2", "3"):
        comfy.wait_for("progress_text", f'"node": "{node}", "text": "Generating')
    comfy.interrupt(prompt_id)
    assert ending(comfy.wait(prompt_id)) == INTERRUPTED
    until(lambda: all_ended(fal))
    assert [(job["cancels"], job["status_code"]) for job in jobs(fal)] == [(1, CANCELLED)] * 2
    assert ending(comfy.run(pair)) == DONE
    assert sum(job["billed"] for job in jobs(fal)) == 2


def test_cancel_taken_by_another_node_reaches_ours(comfy, fal, beside, shot, tmp_path):
    fal.set_faults("slow:1")
    prompt_id = comfy.queue(beside("hold"))
    comfy.wait_for("progress_text", "Generating")
    (tmp_path / "go").touch()
    until((tmp_path / "holding").exists)
    comfy.interrupt()
    history = comfy.wait(prompt_id)
    assert ending(history) == INTERRUPTED
    assert history["status"]["messages"][-1][1]["node_id"] == "3", "the other node took it"
    until(lambda: all_ended(fal))
    (job,) = jobs(fal)
    assert (job["cancels"], job["status_code"]) == (1, CANCELLED)
    assert ending(comfy.run(shot())) == DONE


def test_failure_of_another_node_cancels_nothing(comfy, fal, beside, shot, tmp_path):
    """The clip is wanted, and may be paid for: the next run downloads it."""
    fal.set_faults("slow:1")
    prompt_id = comfy.queue(beside("fail"))
    comfy.wait_for("progress_text", "Generating")
    (tmp_path / "go").touch()
    history = comfy.wait(prompt_id)
    assert ending(history) == FAILED
    assert history["status"]["messages"][-1][1]["exception_message"].startswith("The bystander")
    assert not all_ended(fal)
    assert ending(comfy.run(shot())) == DONE
    (job,) = jobs(fal)
    assert job["cancels"] == 0
    assert job["billed"]


def test_cancel_of_another_prompt_cancels_nothing(comfy, fal, beside, shot, tmp_path):
    """Neither an earlier Cancel nor one of a prompt that waits makes a failure one."""
    fal.set_faults("stuck_in_queue:1,slow:2")
    first = comfy.queue(shot(seed=2))
    comfy.wait_for("progress_text", "In fal's queue")
    comfy.interrupt()
    assert ending(comfy.wait(first)) == INTERRUPTED
    second, third = comfy.queue(beside("fail")), comfy.queue(shot(mode="draft", seed=3))
    comfy.wait_for("progress_text", "Generating")
    comfy.interrupt(third)
    cancelled = comfy.http.post(f"/api/jobs/{third}/cancel")
    assert cancelled.status_code in (200, 405)  # 405: ComfyUI 0.20 has no such route
    (tmp_path / "go").touch()
    assert ending(comfy.wait(second)) == FAILED
    assert [job["cancels"] for job in jobs(fal)] == [1, 0]


def test_cancel_leaves_the_next_prompt_running(comfy, fal, shot):
    fal.set_faults("slow:1")
    first, second = comfy.queue(shot()), comfy.queue(shot(seed=2))
    comfy.wait_for("progress_text", "Generating")
    comfy.interrupt(first)
    assert ending(comfy.wait(first)) == INTERRUPTED
    assert ending(comfy.wait(second)) == DONE
