"""The pack in ComfyUI's own interpreter, loaded and executed as ComfyUI does it."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACK = "vidu_on_fal"

sys.path.insert(0, os.environ["COMFYUI_PATH"])


@pytest.fixture(scope="session")
def pack() -> ModuleType:
    """The pack as nodes.load_custom_node imports it; `pack.vidu` is its vidu."""
    # As main.py does first: in 0.20 nodes.py puts comfy/, with its own utils.py, before the rest.
    import utils.install_util  # noqa: F401
    from comfy.cli_args import args

    args.cpu = True
    spec = spec_from_file_location(
        PACK, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = module_from_spec(spec)
    sys.modules[PACK] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def node_classes(pack) -> dict[str, type]:
    async def listed() -> list[type]:
        extension = await pack.comfy_entrypoint()
        return await extension.get_node_list()

    return {node.GET_SCHEMA().node_id: node for node in asyncio.run(listed())}


@pytest.fixture
def output_directory(tmp_path) -> Iterator[Path]:
    """The output folder; folders for temporary files and for the user's are beside it."""
    import folder_paths

    names = ("output", "temp", "user")
    before = {name: getattr(folder_paths, f"get_{name}_directory")() for name in names}
    for name in names:
        getattr(folder_paths, f"set_{name}_directory")(str(tmp_path / name))
    yield tmp_path / "output"
    for name, folder in before.items():
        getattr(folder_paths, f"set_{name}_directory")(folder)


@pytest.fixture
async def prompt_server(pack):
    """A real PromptServer that knows the pack and takes its messages; it listens to no port."""
    from server import PromptServer

    server = PromptServer(asyncio.get_running_loop())
    await (await pack.comfy_entrypoint()).on_load()
    return server


class RunningPrompt:
    """A queue in which one prompt runs."""

    def __init__(self, prompt_id: str, graph: dict) -> None:
        self._item = (0, prompt_id, graph)

    def get_current_queue_volatile(self) -> tuple[list, list]:
        return [self._item], []


@pytest.fixture
def execute(node_classes, output_directory, prompt_server):
    """Runs a node the way the executor does, and returns its io.NodeOutput."""

    async def run(
        node_id: str,
        inputs: dict,
        prompt: dict | None = None,
        workflow=None,
        slots: tuple[int, ...] = (0, 3),
    ):
        from comfy_execution.utils import CurrentNodeContext

        graph = {"7": {"inputs": {}}}
        graph |= {f"1{slot}": {"inputs": {"value": ["7", slot]}} for slot in slots}
        prompt_server.prompt_queue = RunningPrompt("a-prompt", graph)
        hidden = {"PROMPT": prompt, "EXTRA_PNGINFO": {"workflow": workflow}}
        clone = node_classes[node_id].PREPARE_CLASS_CLONE({"hidden_inputs": hidden})
        with CurrentNodeContext("a-prompt", "7", 0):
            return await clone.EXECUTE_NORMALIZED_ASYNC(**inputs)

    return run


@pytest.fixture(scope="session")
def shared_fal(bare_environment) -> Iterator:
    import local_fal

    with local_fal.running(
        generation_seconds=0, concurrency=9, clip_size=(96, 64), clip_frames=8
    ) as fal:
        yield fal


@pytest.fixture
def fal(shared_fal, monkeypatch):
    """A local fal that this process reaches, with nothing asked of it yet."""
    for name, value in shared_fal.environment.items():
        monkeypatch.setenv(name, value)
    shared_fal.reset()
    return shared_fal


def download(fal, url: str) -> bytes:
    """What fal was given under an address of its storage."""
    require_fal_urls = ssl.create_default_context(cafile=fal.authority)
    with httpx.Client(proxy=fal.url, verify=require_fal_urls) as client:
        return client.get(url).raise_for_status().content
