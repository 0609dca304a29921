"""The seam: the only file that knows ComfyUI and torch.

What the host does, and each trap that is stepped around here, is told in ComfyUI 0.33's
`execution.py`: an interrupt sets a flag and cancels nothing; a node that sees it must raise
InterruptProcessingException; a CancelledError of a node's own making kills the prompt worker.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import folder_paths
import numpy as np
import torch
from aiohttp import web
from comfy.cli_args import args
from comfy.model_management import InterruptProcessingException, processing_interrupted
from comfy_api.latest import ComfyAPI, ComfyExtension, InputImpl, io, ui
from comfy_execution.utils import get_executing_context
from numpy.typing import NDArray
from server import PromptServer

from ..vidu.errors import InvalidSetting
from ..vidu.run import Names
from .display import Display

__all__ = [
    "ComfyExtension",
    "as_image",
    "as_video",
    "home",
    "interrupted_since",
    "io",
    "listen_for_interrupts",
    "metadata",
    "names",
    "pictures",
    "preview",
    "stoppable",
]

T = TypeVar("T")

LOOK_EVERY_S = 0.1
STOP_WITHIN_S = 0.7


class LastPress:
    """When an interrupt was last asked for, in monotonic seconds."""

    at = float("-inf")


LAST_PRESS = web.AppKey("fal_vidu_last_press", LastPress)


def listen_for_interrupts() -> None:
    """Note each press of Cancel, for it shows to one node only.

    The first node to look takes the host's flag away; the others are torn down as if a sibling
    had failed, and only this note tells them that their remote jobs are to be cancelled, too.
    """
    app = PromptServer.instance.app
    app[LAST_PRESS] = LastPress()

    async def note(request: web.Request, _: web.StreamResponse) -> None:
        if request.method == "POST" and processing_interrupted():
            app[LAST_PRESS].at = time.monotonic()

    app.on_response_prepare.append(note)


def interrupted_since(moment: float) -> bool:
    """Tell whether the artist pressed Cancel after `moment`, in monotonic seconds."""
    return processing_interrupted() or PromptServer.instance.app[LAST_PRESS].at >= moment


async def stoppable(work: Awaitable[T], display: Display) -> T:
    """Await `work` as a task that ends within a second of the artist's Cancel.

    Shows the display meanwhile.

    Raises:
        InterruptProcessingException: The artist pressed Cancel.
        asyncio.CancelledError: The prompt is over; the host tears its loop down.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_EVERY_S)
            await _show(display)
            if processing_interrupted():
                break
        else:
            if not task.cancelled():
                return task.result()
    except asyncio.CancelledError:
        task.cancel()  # the teardown waits for it
        raise
    task.cancel()
    await asyncio.wait({task}, timeout=STOP_WITHIN_S)
    if task.done() and not task.cancelled():
        task.exception()  # seen: the interrupt goes before it
    raise InterruptProcessingException


async def _show(display: Display) -> None:
    context = get_executing_context()
    if context is None or not display.changed():
        return
    fraction, text = display.now()
    await ComfyAPI().execution.set_progress(fraction, 1.0)
    PromptServer.instance.send_progress_text(text, context.node_id)


def home() -> Path:
    """Return the private folder of ledger, settings and key, which no route of the host serves."""
    return Path(folder_paths.get_system_user_directory("fal_vidu"))


def names(prefix: str) -> Names:
    """Return the paths that ComfyUI's rules give a clip with this filename prefix.

    Raises:
        InvalidSetting: The prefix leads out of the output folder.
    """
    output = folder_paths.get_output_directory()

    def candidates(width: int, height: int) -> Iterator[Path]:
        folder, stem, counter, _, _ = folder_paths.get_save_image_path(
            prefix, output, width, height
        )
        return (Path(folder) / f"{stem}_{number:05}_.mp4" for number in range(counter, 100_000))

    try:
        candidates(0, 0)
    except Exception as error:
        raise InvalidSetting(
            f"filename_prefix {prefix!r} does not lead to a folder inside ComfyUI's output folder.",
            "Use a prefix such as video/Vidu.",
        ) from error
    return candidates


def metadata(hidden: Any) -> Mapping[str, str]:
    """Return the workflow and the prompt as the host's own nodes put them into files."""
    if args.disable_metadata:
        return {}
    texts = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        texts["prompt"] = hidden.prompt
    return {name: json.dumps(value) for name, value in texts.items()}


def pictures(image: torch.Tensor) -> list[NDArray[np.float32]]:
    """Return each picture of an IMAGE batch as float32 [H, W, C]."""
    return list(image.detach().to(device="cpu", dtype=torch.float32).numpy())


def as_image(frames: NDArray[np.float32]) -> torch.Tensor:
    """Return float32 [N, H, W, 3] as an IMAGE, without a copy."""
    return torch.from_numpy(frames)


def as_video(path: Path) -> InputImpl.VideoFromFile:
    """Return the file as a VIDEO."""
    return InputImpl.VideoFromFile(str(path))


def preview(paths: list[Path]) -> ui.PreviewVideo | None:
    """Return what makes the clips play on the node; those outside the output folder do not."""
    output = Path(folder_paths.get_output_directory()).resolve()
    shown = [
        ui.SavedResult(
            path.name, str(path.resolve().parent.relative_to(output)), io.FolderType.output
        )
        for path in paths
        if path.resolve().is_relative_to(output)
    ]
    return ui.PreviewVideo(shown) if shown else None
