"""The nodes where there is no ComfyUI and no torch: real vidu, real local_fal, and in the place of
the one file that knows the host a stand-in with the same face.
"""

from __future__ import annotations

import ast
import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import local_fal

ROOT = Path(__file__).resolve().parents[3]
SEAM = ROOT / "nodes" / "host" / "__init__.py"
STAND_IN = ROOT / "tests" / "support" / "stand_in_host.py"
PACK = "pack_without_comfyui"


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    """The pack with the stand-in in its place."""
    root = ModuleType(PACK)
    root.__path__ = [str(ROOT)]
    spec = spec_from_file_location(f"{PACK}.nodes.host", STAND_IN)
    host = module_from_spec(spec)
    host.__path__ = [str(ROOT / "nodes" / "host")]
    sys.modules |= {PACK: root, spec.name: host}
    spec.loader.exec_module(host)
    import_module(f"{PACK}.nodes")
    yield root
    for name in [name for name in sys.modules if name.partition(".")[0] == PACK]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def shared_fal(bare_environment) -> Iterator[local_fal.LocalFal]:
    with local_fal.running(
        generation_seconds=0, concurrency=4, clip_size=(96, 64), clip_frames=8
    ) as fal:
        yield fal


@pytest.fixture
def fal(shared_fal, monkeypatch) -> local_fal.LocalFal:
    for name, value in shared_fal.environment.items():
        monkeypatch.setenv(name, value)
    shared_fal.reset()
    return shared_fal


@pytest.fixture
def node(pack) -> type:
    return pack.nodes.image_to_video.FalViduImageToVideo


def asked(**inputs) -> dict:
    single = {
        "image": np.full((1, 64, 96, 3), 0.5, np.float32),
        "prompt": "The waves roll in.",
        "seed": 1,
        "movement_amplitude": "auto",
        "mode": "live",
        "filename_prefix": "Vidu",
        "max_clips": 4,
    }
    return {name: [value] for name, value in single.items()} | inputs


def clips(count: int) -> np.ndarray:
    """A batch of so many images, all different."""
    return np.stack([np.full((64, 96, 3), index / 10, np.float32) for index in range(count)])


# -- the stand-in itself -------------------------------------------------------------------------


def faces(path: Path) -> dict[str, str]:
    """The public names of a module, and of the functions among them the signatures."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {
        item.name: signature(item)
        for item in tree.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    (listed,) = (
        ast.literal_eval(item.value)
        for item in tree.body
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "__all__"
    )
    return {name: functions.get(name, "") for name in listed}


def signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    given = function.args
    for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs):
        argument.annotation = None
    kind = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    marks = [ast.unparse(mark) for mark in function.decorator_list]
    return f"{marks} {kind} ({ast.unparse(given)})"


def test_the_stand_in_has_the_face_of_the_seam():
    assert faces(STAND_IN) == faces(SEAM)


async def test_the_extension_lists_the_nodes(pack):
    extension = await pack.nodes.comfy_entrypoint()
    listed = [node.__name__ for node in await extension.get_node_list()]
    assert listed == ["FalViduImageToVideo", "FalViduSavedClip", "FalViduShots"]
    assert [node.define_schema().node_id for node in await extension.get_node_list()] == listed


# -- a clip --------------------------------------------------------------------------------------


async def test_a_live_shot_becomes_a_clip_and_the_next_time_is_free(node, fal, vidu_home):
    first = (await node.execute(**asked())).result
    frames, path, video, last, fps, count, request_id = (output[0] for output in first)
    assert frames.shape == (8, 64, 96, 3)
    assert np.array_equal(last, frames[-1:])
    assert Path(path) == video == vidu_home / "output" / "Vidu_00001.mp4"
    assert (fps, count) == (24.0, 8)
    (job,) = fal.ledger()["jobs"]
    assert job["request_id"] == request_id

    again = (await node.execute(**asked())).result
    assert again[1] == first[1]
    assert fal.ledger()["counts"]["jobs"] == 1
    shown = (vidu_home / "shown").read_text(encoding="utf-8").splitlines()
    assert "$0.20: 96x64, 8 frames" in shown
    assert shown[-1] == "Saved clip, free: 96x64, 8 frames"


async def test_a_draft_needs_neither_key_nor_network(node, vidu_home):
    output = await node.execute(**asked(mode=["draft"], max_frames=[1]))
    assert output.result[0][0].shape[0] == 1
    assert output.result[6][0].startswith("draft")


@pytest.mark.parametrize(
    ("mode", "words"), [("draft", "Nothing was charged"), ("live", "is paid for and not lost")]
)
async def test_what_does_not_fit_into_memory_says_what_was_paid(
    mode, words, node, fal, pack, monkeypatch
):
    def decode(*_, **__):
        raise pack.vidu.errors.ClipTooLargeError("Its frames need 99 GB of memory.")

    monkeypatch.setattr(pack.nodes.takes, "decode", decode)
    with pytest.raises(pack.vidu.errors.ClipTooLargeError, match=words):
        await node.execute(**asked(mode=[mode]))


async def test_the_clips_of_a_batch_come_in_its_order(node, fal):
    output = await node.execute(**asked(image=[clips(3)]))
    means = [float(np.median(frames)) for frames in output.result[0]]
    assert means == sorted(means)
    assert len(set(output.result[1])) == 3


async def test_a_batch_that_is_too_large_is_refused_before_anything_is_sent(node, fal, pack):
    with pytest.raises(pack.vidu.errors.TooManyClipsError, match=r"81 clips for \$16\.20"):
        await node.execute(**asked(image=[np.zeros((81, 64, 96, 3), np.float32)]))
    assert fal.ledger()["requests"] == []


async def test_a_batch_without_an_image_is_refused(node, pack):
    with pytest.raises(pack.vidu.errors.InvalidImageError, match="holds no image"):
        await node.execute(**asked(image=[clips(1)[:0]]))


async def test_of_several_the_failed_are_named_and_the_others_kept(node, fal, pack):
    fal.set_faults("content_policy_violation:1")
    prompts = ["One.", "Two.", "Three."]
    with pytest.raises(pack.vidu.errors.ShotsFailedError, match=r"1 of 3 clips failed\.") as failed:
        await node.execute(**asked(prompt=prompts))
    assert len(failed.value.failures) == 1
    await node.execute(**asked(prompt=prompts))
    assert [job["billed"] for job in fal.ledger()["jobs"]].count(True) == 3
    assert len(fal.ledger()["jobs"]) == 4


async def test_failed_shots_can_be_left_out(node, fal, vidu_home):
    fal.set_faults("content_policy_violation:1")
    output = await node.execute(**asked(prompt=["One.", "Two."], on_error=["skip"]))
    assert len(output.result[1]) == 1
    assert "Failed: " in (vidu_home / "shown").read_text(encoding="utf-8")


async def test_a_shot_list_runs_as_it_is_written(node, pack, fal):
    shots = pack.nodes.shots.FalViduShots
    listed = shots.execute(["One. | 5\nTwo. | | large"], [1], [clips(1)]).result
    fields = ("image", "prompt", "seed", "movement_amplitude")
    await node.execute(**asked(**dict(zip(fields, listed, strict=True))))
    sent = {job["input"]["prompt"]: job["input"] for job in fal.ledger()["jobs"]}
    assert sent["One."]["seed"] == 5
    assert sent["Two."]["movement_amplitude"] == "large"


async def test_a_saved_clip_is_the_same_clip(node, pack, fal):
    made = (await node.execute(**asked())).result
    saved = pack.nodes.saved_clip.FalViduSavedClip
    assert saved.validate_inputs(made[6][0]) is True
    assert "no clip with the request id" in saved.validate_inputs("another")
    again = (await saved.execute(made[6][0])).result
    assert again[1:3] + again[4:] == made[1:3] + made[4:]
    assert np.array_equal(again[0], made[0])


# -- what ends a shot early ----------------------------------------------------------------------


def until(fal, holds: Callable[[dict], object]) -> None:
    deadline = time.monotonic() + 30
    while not any(holds(job) for job in fal.ledger()["jobs"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def torn_down(node, fal) -> None:
    """Runs a shot until it is under way at fal, and ends it as the host tears a prompt down."""
    running = asyncio.ensure_future(node.execute(**asked()))
    await asyncio.to_thread(until, fal, lambda job: job["polls"])
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    assert running in tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert running.cancelled()


@pytest.fixture
def cancel_pressed(vidu_home) -> None:
    vidu_home.mkdir()
    (vidu_home / "cancelled").touch()


async def test_torn_down_by_the_artist_the_request_is_cancelled(node, fal, cancel_pressed):
    fal.set_faults("stuck_in_queue:1")
    await torn_down(node, fal)
    await asyncio.to_thread(until, fal, lambda job: job["cancels"] == 1)


async def test_so_it_is_when_all_threads_are_busy_just_then(node, fal, cancel_pressed):
    fal.set_faults("stuck_in_queue:1")
    loop, free = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(3))
    running = asyncio.ensure_future(node.execute(**asked()))
    await asyncio.to_thread(until, fal, lambda job: job["polls"])
    busy = [loop.run_in_executor(None, free.wait) for _ in range(3)]
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for _ in range(3):
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.05)
    free.set()
    await asyncio.gather(*tasks, *busy, return_exceptions=True)
    assert running.cancelled()
    await asyncio.to_thread(until, fal, lambda job: job["cancels"] == 1)


async def test_torn_down_by_anything_else_it_goes_on_and_is_collected(node, fal):
    await torn_down(node, fal)
    await node.execute(**asked())
    assert [job["cancels"] for job in fal.ledger()["jobs"]] == [0]


async def test_a_cancelled_error_from_within_does_not_get_out(pack, fal):
    """It would end the host's worker, and every later prompt would hang."""

    def stopped(width: int, height: int) -> Iterator[Path]:
        raise asyncio.CancelledError

    takes = pack.nodes.takes
    request = pack.vidu.builders.image_to_video(clips(1)[0], "The waves roll in.")
    with pytest.raises(RuntimeError, match="stopped from within"):
        await takes.generate_clips(
            [request],
            ["1 of 1"],
            [stopped],
            {},
            takes.FrameSelection(),
            draft=False,
            skip_failed=False,
        )


# -- before it runs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "mode", "words"),
    [
        ("", "draft", "The prompt is empty."),
        ("a" * 1501, "draft", "1501 characters"),
        ("A wave.", "rehearsal", "choose live or draft"),
        ("A wave.", "live", "There is no fal key"),
    ],
)
def test_what_is_refused_before_it_is_queued(node, prompt, mode, words):
    assert words in node.validate_inputs([prompt], [mode])


@pytest.mark.parametrize(("prompt", "mode"), [("A wave.", "draft"), (None, "draft"), (None, None)])
def test_what_is_not(node, prompt, mode):
    assert node.validate_inputs([prompt], [mode]) is True


def test_lists_that_do_not_fit_together_are_refused(pack):
    lists = pack.nodes.lists
    with pytest.raises(
        pack.vidu.errors.InvalidSettingError, match="seed holds 2 values for 3 shots"
    ):
        lists.broadcast_inputs(prompt=["a", "b", "c"], seed=[1, 2])
    with pytest.raises(pack.vidu.errors.InvalidSettingError, match="mode holds 2 values"):
        lists.only("mode", ["live", "draft"])
    assert lists.broadcast_inputs(prompt=["a", "b"], seed=[1]) == [
        {"prompt": "a", "seed": 1},
        {"prompt": "b", "seed": 1},
    ]
