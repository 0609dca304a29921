"""The real nodes over a fake ComfyUI, small enough to read: tests/support/comfyui."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

import local_fal

ROOT = Path(__file__).resolve().parents[3]
FAKE = ROOT / "tests" / "support" / "comfyui"
PACK = "pack_without_comfyui"
FAKED = {path.relative_to(FAKE).parts[0].removesuffix(".py") for path in FAKE.iterdir()}


@pytest.fixture(scope="session")
def pack() -> Iterator[ModuleType]:
    """The pack, with the fake ComfyUI where it looks for the real one."""
    root = ModuleType(PACK)
    root.__path__ = [str(ROOT)]
    sys.modules[PACK] = root
    sys.path.insert(0, str(FAKE))
    try:
        import_module(f"{PACK}.nodes")
        yield root
    finally:
        sys.path.remove(str(FAKE))
        for name in [name for name in sys.modules if name.partition(".")[0] in {PACK, *FAKED}]:
            del sys.modules[name]


@pytest.fixture
async def server(pack) -> Any:
    """The fake server, as it is after the pack was loaded."""
    from server import PromptServer

    PromptServer.instance = PromptServer()
    await (await pack.nodes.comfy_entrypoint()).on_load()
    return PromptServer.instance


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
def running(server) -> Callable[..., Any]:
    """Makes node 2 of a prompt the one that runs, with links to these of its outputs."""
    from comfy_execution.utils import CurrentNodeContext

    @contextmanager
    def running(slots: Sequence[int] = (0, 3)) -> Iterator[None]:
        graph: dict[str, Any] = {"2": {"class_type": "ours", "inputs": {"image": ["1", 0]}}}
        for slot in slots:
            graph[f"1{slot}"] = {"class_type": "theirs", "inputs": {"value": ["2", slot]}}
        server.prompt_queue.running = [(0, "a-prompt", graph)]
        with CurrentNodeContext("a-prompt", "2"):
            yield

    return running


@pytest.fixture
def execute(pack, running) -> Callable[..., Any]:
    """Runs a node as the host does, with links to these of its outputs."""

    async def execute(name: str, *, slots: Sequence[int] = (0, 3), **inputs: Any) -> Any:
        module = {"FalViduShots": "shots", "FalViduSavedClip": "saved_clip"}.get(name, "")
        node = getattr(getattr(pack.nodes, module or MODULES[name]), name)
        with running(slots):
            result = node.execute(**inputs)
            return result if name == "FalViduShots" else await result

    return execute


MODULES = {
    "FalViduImageToVideo": "image_to_video",
    "FalViduTextToVideo": "text_to_video",
    "FalViduReferenceToVideo": "reference_to_video",
    "FalViduExtendVideo": "extend_video",
    "FalViduTemplate": "template",
    "FalViduImage": "image",
}


@pytest.fixture
def press_cancel(server, pack) -> Callable[[], Any]:
    """Notes a press of Cancel for the running prompt, as the host's route would."""

    async def press() -> None:
        time.sleep(0.01)  # noqa: ASYNC251 (the clock is to move on)
        request = make_mocked_request("POST", "/api/jobs/a-prompt/cancel")
        for handler in server.app.on_response_prepare:
            await handler(request, web.Response())

    return press


@pytest.fixture
def tensors(pack) -> Callable[[int], Any]:
    """Makes an IMAGE batch of this many pictures, all different."""
    import torch

    def tensors(count: int, height: int = 64, width: int = 96) -> Any:
        # Colors far apart: pictures that are almost the same are one shot.
        colors = [(index % 5, index // 5 % 5, index // 25) for index in range(count)]
        pictures = [
            np.tile(np.float32(color) / np.float32(5), (height, width, 1)) for color in colors
        ]
        return torch.from_numpy(np.stack(pictures) if pictures else np.empty((0, 8, 8, 3)))

    return tensors


def shared_inputs(**inputs: Any) -> dict[str, list[Any]]:
    """The inputs that every generating node has, as lists."""
    single = {"seed": 1, "mode": "live", "filename_prefix": "Vidu", "max_cost": 5.0}
    return {name: [value] for name, value in single.items()} | inputs


@pytest.fixture
def asked(tensors) -> Callable[..., dict[str, Any]]:
    """The inputs of Vidu Image to Video for one shot, but for those that are given."""

    def asked(**inputs: Any) -> dict[str, Any]:
        usual = {
            "image": [tensors(1)],
            "prompt": ["The waves roll in."],
            "model": {"model": ["Vidu"], "movement_amplitude": ["auto"]},
        }
        return shared_inputs(**usual) | inputs

    return asked
