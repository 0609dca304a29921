"""ComfyUI's own executor in a child process, with the pack loaded by ComfyUI itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "example_workflows" / "lighthouse.png"
NODE = "FalViduImageToVideo"


class Graph:
    """Executes prompts, without a web server before it.

    Args:
        base: An empty folder for its input, output, temporary and user files.
    """

    def __init__(self, base: Path) -> None:
        # Before the root, where our own `nodes` is.
        sys.path.insert(0, os.environ["COMFYUI_PATH"])
        from comfy.cli_args import args

        args.cpu = True
        import folder_paths

        for name in ("input", "output", "temp", "user"):
            (base / name).mkdir()
            getattr(folder_paths, f"set_{name}_directory")(str(base / name))
        import execution
        import server

        import nodes  # ComfyUI's

        loop = asyncio.new_event_loop()
        prompt_server = server.PromptServer(loop)
        if not loop.run_until_complete(nodes.load_custom_node(str(ROOT))):
            raise SystemExit("ComfyUI could not load the pack.")
        self._executor = execution.PromptExecutor(
            prompt_server, execution.CacheType.CLASSIC, {"lru": 0, "ram": 0, "ram_inactive": 0}
        )

    def execute(self, prompt: dict[str, Any], prompt_id: str = "bench") -> None:
        """Execute a prompt, every node of the pack in it.

        Raises:
            SystemExit: A node failed.
        """
        ends = [name for name, node in prompt.items() if node["class_type"] == NODE]
        self._executor.execute(prompt, prompt_id, {}, ends)
        if not self._executor.success:
            raise SystemExit(f"The prompt failed: {self._executor.status_messages[-1]}")


def export_frames(folder: Path, count: int) -> list[Path]:
    """Write this many pictures of 640x360, each another one, and return their paths."""
    pixels = np.asarray(Image.open(PICTURE).convert("RGB").reduce(2))
    paths = [folder / f"picture_{index}.png" for index in range(count)]
    for index, path in enumerate(paths):
        turned = np.roll(pixels, 97 * index, axis=1)
        Image.fromarray(turned).save(path, compress_level=1)
    return paths


def clips_of(batches: Sequence[Sequence[Path]], **options: Any) -> dict[str, Any]:
    """Return a prompt with one node for each batch of pictures in ComfyUI's input folder.

    Args:
        batches: The pictures.
        options: Inputs of the nodes that are not the usual ones.
    """
    prompt: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        image = None
        for index, path in enumerate(batch):
            place = f"{number}.{index}"
            prompt[f"load {place}"] = node("LoadImage", image=path.name)
            loaded = [f"load {place}", 0]
            if image:
                prompt[f"batch {place}"] = node("ImageBatch", image1=image, image2=loaded)
            image = [f"batch {place}", 0] if image else loaded
        asked = {"image": image, "prompt": "The beam sweeps over the sea.", "seed": number + 1}
        asked |= {"model": "Vidu", "model.movement_amplitude": "auto", "mode": "live"}
        asked |= {"filename_prefix": "video/Vidu", "max_cost": 9.0}
        prompt[f"clips {number}"] = node(NODE, **asked | options)
    return prompt


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """Return a node of a prompt."""
    return {"class_type": kind, "inputs": inputs}
