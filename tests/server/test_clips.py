"""From an image to a clip in the graph: what comes out, what is paid, what is saved."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import av
import httpx

from .front_end import dropped

OUTPUTS = (
    "frames",
    "file_path",
    "video",
    "last_frame",
    "fps",
    "frame_count",
    "request_id",
    "audio",
)
COLORS = (0x2060A0, 0xA06020, 0x20A060, 0x808080)


def served(fal, job: dict, folder: Path) -> Path:
    """The file itself, as the CDN serves it to anyone."""
    require_fal_urls = ssl.create_default_context(cafile=fal.authority)
    with httpx.Client(proxy=fal.url, verify=require_fal_urls) as client:
        path = folder / "served.mp4"
        path.write_bytes(client.get(job["output"]["video"]["url"]).raise_for_status().content)
        return path


def packets(path: Path) -> list[tuple]:
    with av.open(str(path)) as container:
        return [
            (packet.stream.type, bytes(packet), packet.pts, packet.dts, packet.time_base)
            for packet in container.demux()
            if packet.size
        ]


def boxes(path: Path) -> list[bytes]:
    """The outermost boxes of the file, in order."""
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        found.append(data[place + 4 : place + 8])
        place += int.from_bytes(data[place : place + 4], "big")
    return found


def with_previews(prompt: dict, *names: str) -> dict:
    """The prompt with a node that shows each of these outputs, under its name."""
    shows = {
        name: {"class_type": "PreviewAny", "inputs": {"source": ["2", OUTPUTS.index(name)]}}
        for name in names
    }
    return prompt | shows


def texts(history: dict, name: str) -> list[str]:
    return history["outputs"][name]["text"]


def clips(history: dict, node: str = "2") -> list[dict]:
    return history["outputs"][node]["images"]


def cached(history: dict) -> set[str]:
    return set(dict(history["status"]["messages"])["execution_cached"]["nodes"])


def batch(prompt: dict, colors=COLORS) -> dict:
    """The prompt with a batch of plain images in place of its one."""
    size = {"width": 96, "height": 64, "batch_size": 1}
    for index, color in enumerate(colors):
        prompt[f"c{index}"] = {"class_type": "EmptyImage", "inputs": {**size, "color": color}}
    joined = ["c0", 0]
    for index in range(1, len(colors)):
        both = {"image1": joined, "image2": [f"c{index}", 0]}
        prompt[f"b{index}"] = {"class_type": "ImageBatch", "inputs": both}
        joined = [f"b{index}", 0]
    prompt["2"]["inputs"]["image"] = joined
    return prompt


def test_node_outputs_are_in_the_documented_order(comfy, fal, shot):
    assert tuple(comfy.object_info()["FalViduImageToVideo"]["output_name"]) == OUTPUTS
    prompt = with_previews(shot(), "file_path", "fps", "frame_count", "request_id")
    prompt["pictures"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}
    prompt["last"] = {"class_type": "PreviewImage", "inputs": {"images": ["2", 3]}}
    prompt["parts"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 2]}}
    prompt["again"] = {"class_type": "PreviewImage", "inputs": {"images": ["parts", 0]}}
    history = comfy.run(prompt)
    assert history["status"]["status_str"] == "success"
    (job,) = fal.ledger()["jobs"]
    assert texts(history, "request_id") == [job["request_id"]]
    assert texts(history, "fps") == ["24.0"]
    assert texts(history, "frame_count") == ["8"]
    (path,) = map(Path, texts(history, "file_path"))
    assert path.is_absolute()
    assert path.is_relative_to(comfy.output / "video")
    assert len(history["outputs"]["pictures"]["images"]) == 8
    assert len(history["outputs"]["again"]["images"]) == 8
    assert len(history["outputs"]["last"]["images"]) == 1
    assert history["outputs"]["2"]["animated"] == [True]
    assert [clip["filename"] for clip in clips(history)] == [path.name]


def test_node_sends_what_its_inputs_say(comfy, fal, shot):
    comfy.run(
        shot(
            prompt="  A \u706f in the fog.  ",
            seed=77,
            **{"model.movement_amplitude": "large"},
        )
    )
    comfy.run(shot(prompt="A lamp in the fog.", seed=0))
    first, second = (job["input"] for job in fal.ledger()["jobs"])
    assert first.pop("image_url").startswith("https://v3b.fal.media/")
    assert first == {"prompt": "A \u706f in the fog.", "seed": 77, "movement_amplitude": "large"}
    assert "seed" not in second


def test_node_saves_fals_file_with_the_graph_inside(comfy, fal, shot, tmp_path):
    prompt = batch(shot(), COLORS[:1])
    del prompt["1"]  # the host adds a note of its own to a LoadImage
    workflow = {"nodes": [{"id": 2}], "version": 0.4, "extra": {"of": "a {test}"}}
    (clip,) = clips(comfy.run(prompt, workflow))
    saved = comfy.output / clip["subfolder"] / clip["filename"]
    assert comfy.http.get("/view", params=clip).content == saved.read_bytes(), "it plays"
    (job,) = fal.ledger()["jobs"]
    assert packets(saved) == packets(served(fal, job, tmp_path))
    found = dropped(saved)
    for node in found["prompt"].values():
        node.pop("is_changed", None)  # the host's own note
    assert found == {"workflow": workflow, "prompt": prompt}
    assert boxes(saved).index(b"moov") < boxes(saved).index(b"mdat")
    with av.open(str(saved)) as container:
        assert json.loads(container.metadata["prompt"]).keys() == prompt.keys()


def test_node_queued_again_is_cached(comfy, fal, shot):
    prompt = shot()
    first, second = comfy.run(prompt), comfy.run(prompt)
    assert cached(second) == {"1", "2"}
    assert clips(first) == clips(second)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_node_other_seed_makes_another_clip_and_the_first_stays_free(comfy, fal, shot):
    """Also when the host's own cache has been emptied, as it is between two prompts."""
    first = comfy.run(shot(seed=1))
    comfy.http.post("/free", json={"free_memory": True}).raise_for_status()
    other = comfy.run(shot(seed=2))
    again = comfy.run(shot(seed=1))
    assert "2" not in cached(again)
    assert clips(first) == clips(again) != clips(other)
    comfy.wait_for("progress_text", "Saved, free: Vidu, 96x64, 8 frames")
    assert fal.ledger()["counts"]["jobs"] == 2


def test_saved_clip_node_returns_the_clip_by_its_id(comfy, fal, shot):
    made = comfy.run(with_previews(shot(), "request_id"))
    (request_id,) = texts(made, "request_id")
    saved = {"2": {"class_type": "FalViduSavedClip", "inputs": {"request_id": request_id}}}
    again = comfy.run(with_previews(saved, "request_id", "frame_count", "fps"))
    assert clips(again) == clips(made)
    assert texts(again, "request_id") == [request_id]
    assert texts(again, "frame_count") == ["8"]
    assert texts(again, "fps") == ["24.0"]
    assert fal.ledger()["counts"]["jobs"] == 1


def test_node_batch_of_four_makes_four_clips_side_by_side(comfy, fal, shot):
    """As many in flight as fal lets run; downstream, core nodes map over the lists."""
    prompt = with_previews(batch(shot()), "file_path", "request_id", "frame_count")
    prompt["last"] = {"class_type": "SaveImage", "inputs": {"images": ["2", 3]}}
    prompt["last"]["inputs"]["filename_prefix"] = "last"
    saving = {"video": ["2", 2], "filename_prefix": "again", "format": "auto", "codec": "auto"}
    prompt["save"] = {"class_type": "SaveVideo", "inputs": saving}
    prompt["parts"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 2]}}
    prompt["all"] = {"class_type": "PreviewImage", "inputs": {"images": ["parts", 0]}}
    history = comfy.run(prompt)
    assert history["status"]["status_str"] == "success"
    record = fal.ledger()
    jobs = {job["request_id"]: job for job in record["jobs"]}
    assert len(jobs) == 4
    assert record["most_running"] == 2
    ids, paths = texts(history, "request_id"), texts(history, "file_path")
    assert set(ids) == jobs.keys()
    assert len(set(paths)) == 4
    assert [Path(path).name for path in paths] == [clip["filename"] for clip in clips(history)]
    assert texts(history, "frame_count") == ["8"] * 4
    assert len(history["outputs"]["last"]["images"]) == 4
    assert len(history["outputs"]["save"]["images"]) == 4
    assert len(history["outputs"]["all"]["images"]) == 32
    comfy.wait_for("progress_text", "In fal's queue, ")


def test_node_batch_of_the_same_image_makes_one_clip(comfy, fal, shot):
    history = comfy.run(with_previews(batch(shot(), COLORS[:1] * 3), "file_path"))
    assert len(texts(history, "file_path")) == 3
    assert len(set(texts(history, "file_path"))) == 1
    assert fal.ledger()["counts"]["jobs"] == 1


def test_node_two_shots_finishing_together_get_two_names(comfy, fal, shot):
    prompt = shot()
    prompt["3"] = shot(seed=2)["2"]
    history = comfy.run(prompt)
    (first,), (second,) = clips(history), clips(history, "3")
    assert first["filename"] != second["filename"]
    assert fal.ledger()["most_running"] == 2


def test_node_last_frame_starts_the_next_clip(comfy, fal, shot):
    prompt = shot()
    prompt["3"] = shot(image=["2", 3], prompt="And on it goes.")["2"]
    history = comfy.run(prompt)
    assert history["status"]["status_str"] == "success"
    assert fal.ledger()["counts"]["jobs"] == 2


def test_node_shows_each_step_and_a_progress_bar(comfy, fal, shot):
    fal.set_faults("upload_500:1,download_500:1")
    comfy.run(shot())
    shown = "\n".join(comfy.texts())
    steps = ["Uploading", "Generating (0 s)", "Downloading (0.0", "$0.20: Vidu, 96x64"]
    places = [shown.index(step) for step in steps]
    assert places == sorted(places)
    told = [event.data["nodes"] for event in comfy.events if event.kind == "progress_state"]
    bar = [nodes["2"]["value"] / nodes["2"]["max"] for nodes in told if "2" in nodes]
    assert bar == sorted(bar)
    assert len(set(bar)) > 4
    assert bar[-1] == 1.0


def test_key_appears_in_no_output_file_or_log(comfy, fal, shot):
    fal.set_faults("content_policy_violation:1")
    comfy.run(shot())
    comfy.run(shot())
    comfy.post(shot(prompt=""))
    asked = ["/history", "/settings", "/object_info", "/vidu/state", "/vidu/clips", "/queue"]
    answers = [comfy.http.get(address).raise_for_status().text for address in asked]
    answers += [json.dumps(event.data) for event in comfy.events]
    saved = [path for path in comfy.base.glob("**/*") if path.is_file()]
    assert comfy.log in saved
    for half in fal.key.split(":"):
        assert not [answer for answer in answers if half in answer]
        assert not [path for path in saved if half.encode() in path.read_bytes()]
