"""A storyboard in the graph: Vidu Shots into Vidu Image to Video, when all goes well and not."""

from __future__ import annotations

import pytest

FIVE = "# a comment\nA one.\nA two. | 7\nA three.\n\nA four. | | large\nA five."


@pytest.fixture
def storyboard():
    """A prompt: an image, a shot list, and the clips of it."""

    def build(shots: str, *, images: int = 1, **asked) -> dict:
        shots_inputs = {"shots": shots, "base_seed": 1, "duration": 4, "image": ["1", 0]}
        if not images:
            del shots_inputs["image"]
        return {
            **pictures(images),
            "2": {"class_type": "FalViduShots", "inputs": shots_inputs},
            "3": {
                "class_type": "FalViduImageToVideo",
                "inputs": {
                    "image": ["2", 0],
                    "prompt": ["2", 1],
                    "seed": ["2", 2],
                    "model": "Vidu",
                    "model.movement_amplitude": ["2", 3],
                    "mode": "live",
                    "filename_prefix": "video/Board",
                    "max_cost": 5.0,
                    **asked,
                },
            },
        }

    return build


def pictures(count: int) -> dict:
    """An image under the id "1": a batch of this many colors."""
    size = {"width": 96, "height": 64, "batch_size": 1}
    nodes = {
        f"1{index}": {"class_type": "EmptyImage", "inputs": {**size, "color": 1000 * index}}
        for index in range(count)
    }
    for index in range(1, count):
        before = f"1b{index - 1}" if index > 1 else "10"
        joined = {"image1": [before, 0], "image2": [f"1{index}", 0]}
        nodes[f"1b{index}"] = {"class_type": "ImageBatch", "inputs": joined}
    last = f"1b{count - 1}" if count > 1 else "10"
    whole = {"image": [last, 0], "batch_index": 0, "length": max(1, count)}
    return {**nodes, "1": {"class_type": "ImageFromBatch", "inputs": whole}} if count else {}


def error_of(history: dict) -> str:
    messages = history["status"]["messages"]
    (failure,) = [data for kind, data in messages if kind == "execution_error"]
    return failure["exception_message"]


def clips_of(history: dict) -> list[dict]:
    return history["outputs"]["3"]["images"]


def new_jobs(fal, before: dict) -> list[dict]:
    return fal.ledger()["jobs"][len(before["jobs"]) :]


def test_shots_node_makes_a_clip_of_each_line_in_order(comfy, fal, storyboard):
    """All lines of a list are made side by side."""
    before = fal.ledger()
    history = comfy.run(storyboard(FIVE))
    assert history["status"]["status_str"] == "success"
    assert len(clips_of(history)) == 5
    asked = {job["input"]["prompt"]: job["input"] for job in new_jobs(fal, before)}
    assert asked.keys() == {"A one.", "A two.", "A three.", "A four.", "A five."}
    assert asked["A two."]["seed"] == 7
    assert asked["A four."]["movement_amplitude"] == "large"
    assert len({each["seed"] for each in asked.values()}) == 5
    assert max(job["sent_at"] for job in new_jobs(fal, before)) < min(
        job["ended_at"] for job in new_jobs(fal, before)
    ), "they ran side by side"


def test_shots_node_one_failure_of_four_saves_three_and_pays_only_the_fixed_line(
    comfy, fal, storyboard
):
    fal.set_faults("content_policy_violation:1")
    before = fal.ledger()
    shots = "# Morning\nB one.\n\nB two.\nB three.\nB four."
    error = error_of(comfy.run(storyboard(shots)))
    (bad,) = [job["input"]["prompt"] for job in new_jobs(fal, before) if not job["billed"]]
    number = ["B one.", "B two.", "B three.", "B four."].index(bad) + 1
    line = shots.split("\n").index(bad) + 1
    assert f'\n{number} of 4, line {line} ("{bad}"): ' in error
    assert "flagged by a content checker" in error
    assert error.startswith("1 of 4 clips failed.")

    history = comfy.run(storyboard(shots.replace(bad, "B fixed.")))
    assert len(clips_of(history)) == 4
    jobs = new_jobs(fal, before)
    assert len(jobs) == 5
    assert jobs[-1]["input"]["prompt"] == "B fixed."
    assert sum(job["billed"] for job in jobs) == 4


def test_shots_node_skipped_shot_is_left_out_and_named(comfy, fal, storyboard):
    fal.set_faults("content_policy_violation:1")
    before = fal.ledger()
    history = comfy.run(storyboard("C one.\nC two.\nC three.", on_error="skip"))
    (bad,) = [job["input"]["prompt"] for job in new_jobs(fal, before) if not job["billed"]]
    assert history["status"]["status_str"] == "success"
    assert len(clips_of(history)) == 2
    log = comfy.log.read_text(encoding="utf-8")
    number = ["C one.", "C two.", "C three."].index(bad) + 1
    assert f'{number} of 3, line {number} ("{bad}"): ' in log[log.index("skipped shots") :]
    comfy.wait_for("progress_text", f"{number}: Failed: ")
    comfy.wait_for("vidu.warning", f'line {number} (\\"{bad}\\"): ')


def test_shots_node_all_skipped_is_an_error(comfy, fal, storyboard):
    fal.set_faults("content_policy_violation:2")
    error = error_of(comfy.run(storyboard("D one.\nD two.", on_error="skip")))
    assert "2 of 2 clips failed." in error


def test_shots_node_image_for_each_line_is_used(comfy, fal, storyboard):
    before = fal.ledger()
    history = comfy.run(storyboard("E one.\nE two.\nE three.", images=3))
    assert len(clips_of(history)) == 3
    assert len({job["media_sha256"]["image_url"][0] for job in new_jobs(fal, before)}) == 3


def test_shots_node_images_that_do_not_fit_are_refused_by_line(comfy, fal, storyboard):
    before = fal.ledger()
    error = error_of(comfy.run(storyboard("F one.\n# not this\nF two.\nF three.", images=2)))
    assert "3 shots and 2 images: line 4 has no image." in error
    assert not new_jobs(fal, before)


def test_shots_node_without_an_image_runs_nothing_and_says_why(comfy, fal, storyboard):
    before = fal.ledger()
    prompt_id = comfy.queue(storyboard("G one.\nG two.", images=0))
    comfy.wait(prompt_id)
    comfy.wait_for("execution_error", "Connect an image to Vidu Shots")
    assert not new_jobs(fal, before)


def test_shots_node_bad_line_is_refused_before_the_run(comfy, storyboard):
    refused = comfy.post(storyboard("H one.\nH two. | seven\nH three. | 1 | huge"))
    assert refused.status_code == 400
    (told,) = refused.json()["node_errors"]["2"]["errors"]
    assert "Line 2: The seed is 'seven'." in told["details"]
    assert "Line 3: movement_amplitude is 'huge'." in told["details"]


def test_shots_node_bad_shot_is_named_and_none_is_paid(comfy, fal, storyboard):
    """The aspect of each first frame is looked at before the first shot is paid."""
    before = fal.ledger()
    prompt = storyboard("# Evening\nI one.\nI two.", images=1)
    prompt["10"]["inputs"]["width"] = 1000
    error = error_of(comfy.run(prompt))
    assert error.startswith('Shot 1 of 2, line 2 ("I one."): image is 1000 x 64 pixels')
    assert not new_jobs(fal, before)


def test_node_lists_that_do_not_pair_are_refused(comfy, fal, storyboard):
    before = fal.ledger()
    prompt = storyboard("J one.\nJ two.\nJ three.")
    other = {"shots": "K one.\nK two.", "base_seed": 1, "duration": 4}
    prompt["4"] = {"class_type": "FalViduShots", "inputs": other}
    prompt["3"]["inputs"]["seed"] = ["4", 2]
    assert "prompt holds 3 values and seed 2: they do not pair." in error_of(comfy.run(prompt))
    assert not new_jobs(fal, before)


def test_shots_node_batch_beside_a_prompt_is_limited(comfy, fal, storyboard):
    before = fal.ledger()
    prompt = storyboard("L one.\nL two.", images=5)
    prompt["3"]["inputs"] |= {"image": ["1", 0], "prompt": "L one.", "seed": 3}
    prompt["3"]["inputs"] |= {"model.movement_amplitude": "auto", "max_cost": 0.8}
    del prompt["2"]
    error = error_of(comfy.run(prompt))
    assert "$1.00 for 5 shots" in error
    assert "max_cost is $0.80" in error
    assert not new_jobs(fal, before)


def test_cancel_of_a_shot_list_reaches_every_shot(comfy, fal, storyboard):
    fal.set_faults("stuck_in_queue:3")
    before = fal.ledger()
    prompt_id = comfy.queue(storyboard("M one.\nM two.\nM three."))
    comfy.wait_for("progress_text", "3: In fal's queue")
    comfy.interrupt()
    assert comfy.wait(prompt_id, timeout=10)["status"]["messages"][-1][0] == (
        "execution_interrupted"
    )
    assert [job["cancels"] for job in new_jobs(fal, before)] == [1, 1, 1]
