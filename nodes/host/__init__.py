"""The seam: the only file that knows ComfyUI and torch.

What the host does, and each trap that is stepped around here, is told in ComfyUI 0.33's
`execution.py`: an interrupt sets a flag and cancels nothing; a node that sees it must raise
InterruptProcessingException; a CancelledError of a node's own making kills the prompt worker.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import folder_paths
from aiohttp import web
from comfy.cli_args import args
from comfy.model_management import InterruptProcessingException, processing_interrupted
from comfy_api.latest import ComfyAPI, ComfyExtension, io, ui
from comfy_execution.graph_utils import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from server import PromptServer

from ...vidu.destination import Destination
from .interrupts import InterruptLog
from .jobs import Jobs, NodeRun
from .links import connected_slots, wiring
from .media import (
    as_image,
    as_video,
    batch_to_arrays,
    read_audio,
    read_image,
    single_images,
    to_media,
)
from .node_classes import input_file_state, is_animated, may_change, output_kind, view_of
from .progress import NodeProgress
from .recent_requests import RecentRequests

__all__ = [
    "ComfyExtension",
    "as_image",
    "as_video",
    "batch_to_arrays",
    "blocked",
    "connected_slots",
    "data_dir",
    "destination",
    "input_file_state",
    "interrupted_since",
    "io",
    "is_animated",
    "jobs",
    "listen_for_interrupts",
    "may_change",
    "metadata",
    "notify",
    "output_kind",
    "preview",
    "preview_stills",
    "read_audio",
    "read_image",
    "recent_requests",
    "route_table",
    "run_interruptible",
    "run_with_progress",
    "running_prompt",
    "single_images",
    "to_media",
    "track_job",
    "view_of",
    "wiring",
]

T = TypeVar("T")

LOOK_EVERY_S = 0.1
STOP_WITHIN_S = 0.7


INTERRUPT_LOG = web.AppKey("fal_vidu_presses", InterruptLog)


def listen_for_interrupts() -> None:
    """Note each press of Cancel, for it shows to one node only.

    The first node to look takes the host's flag away; the others are torn down as if a sibling
    had failed, and only this note tells them that their remote jobs are to be cancelled, too.
    """
    app = PromptServer.instance.app
    app[INTERRUPT_LOG] = InterruptLog()
    app.on_response_prepare.append(app[INTERRUPT_LOG].record)


def interrupted_since(moment: float) -> bool:
    """Return whether the user cancelled this prompt after `moment`, in monotonic seconds."""
    if processing_interrupted():
        return True
    context = get_executing_context()
    presses = PromptServer.instance.app[INTERRUPT_LOG]
    return context is not None and presses.interrupted_since(moment, context.prompt_id)


JOBS: web.AppKey[Jobs] = web.AppKey("fal_vidu_jobs", Jobs)
RECENT_REQUESTS = web.AppKey("fal_vidu_recent_requests", RecentRequests)


def route_table() -> web.RouteTableDef:
    """Return the table of routes that the host serves, at its root and under /api."""
    PromptServer.instance.app[JOBS] = Jobs()
    PromptServer.instance.app[RECENT_REQUESTS] = RecentRequests()
    return PromptServer.instance.routes


def jobs() -> Jobs:
    """Return the shots that run in this server."""
    return PromptServer.instance.app[JOBS]


def recent_requests() -> RecentRequests:
    """Return what the graphs asked for when they ran last."""
    return PromptServer.instance.app[RECENT_REQUESTS]


def running_prompt() -> tuple[Mapping[str, Any], str] | None:
    """Return the running graph in API format and the node that asks, or None outside of a run."""
    context = get_executing_context()
    if context is None:
        return None
    running = PromptServer.instance.prompt_queue.get_current_queue_volatile()[0]
    graphs = [item[2] for item in running if item[1] == context.prompt_id]
    return (graphs[0], context.node_id) if graphs else None


@contextmanager
def track_job(display: NodeProgress) -> Iterator[None]:
    """List the display's shots among the running ones while the block runs."""
    try:
        with jobs().track(display, _current_run()):
            yield
    finally:
        _send_jobs()


def _current_run() -> NodeRun:
    context = get_executing_context()
    if context is None:
        return NodeRun()
    return NodeRun(context.prompt_id, context.node_id, PromptServer.instance.client_id)


def _send_jobs() -> None:
    # No words: a page of another site can listen to the socket, but not ask the route.
    PromptServer.instance.send_sync("vidu.jobs", {})


async def run_with_progress(work: Awaitable[T], display: NodeProgress) -> T:
    """Await `work`, which no prompt is behind, and show its display meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=LOOK_EVERY_S)
        await _show(display)
    return task.result()


async def run_interruptible(work: Awaitable[T], display: NodeProgress) -> T:
    """Await `work` as a task that ends within a second of the user's Cancel.

    Shows the display meanwhile.

    Raises:
        InterruptProcessingException: The user pressed Cancel.
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


async def _show(display: NodeProgress) -> None:
    if not display.pop_changed():
        return
    _send_jobs()
    for warning in display.pop_warnings():
        notify(warning)
    context = get_executing_context()
    if context is None:
        return
    fraction, text = display.render()
    await ComfyAPI().execution.set_progress(fraction, 1.0)
    server = PromptServer.instance
    # Without an address it would go to every editor, and name a node of another graph there.
    if server.client_id:
        server.send_progress_text(text, context.node_id, server.client_id)


def notify(warning: str) -> None:
    """Show a warning in the editor that runs the prompt, or in all when none does."""
    server = PromptServer.instance
    # Between prompts the host still has the client of the last one.
    client_id = server.client_id if get_executing_context() else None
    server.send_sync("vidu.warning", {"text": warning}, client_id)


TIME_CODES: Mapping[str, str] = MappingProxyType(
    {
        "year": "%Y",
        "month": "%m",
        "day": "%d",
        "hour": "%H",
        "minute": "%M",
        "second": "%S",
    }
)
"""What the host replaces in a prefix beside the size of an image, as codes of strftime."""


def data_dir() -> Path:
    """Return the private folder of ledger, settings and key, which no route of the host serves."""
    return Path(folder_paths.get_system_user_directory("fal_vidu"))


def destination(prefix: str) -> Destination:
    """Return where ComfyUI's rules put a clip with this filename prefix.

    Raises:
        InvalidSettingError: The prefix leads out of the output folder.
    """
    dated = prefix
    for name, code in TIME_CODES.items():
        dated = dated.replace(f"%{name}%", time.strftime(code))
    return Destination.inside(Path(folder_paths.get_output_directory()), dated)


def metadata(hidden: Any) -> Mapping[str, str]:
    """Return the workflow and the prompt as the host's own nodes put them into files."""
    if args.disable_metadata:
        return {}
    texts = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        texts["prompt"] = hidden.prompt
    return {name: json.dumps(value) for name, value in texts.items()}


def blocked(message: str) -> ExecutionBlocker:
    """Return an output that keeps what is connected to it from running, and says why."""
    return ExecutionBlocker(message)


def preview(paths: list[Path]) -> ui.PreviewVideo:
    """Return what makes the clips play on the node."""
    return ui.PreviewVideo([_playable(path.resolve()) for path in paths])


def preview_stills(paths: list[Path]) -> ui.SavedImages:
    """Return what shows the stills on the node."""
    return ui.SavedImages([_playable(path.resolve()) for path in paths])


def _playable(path: Path) -> ui.SavedResult:
    output = Path(folder_paths.get_output_directory()).resolve()
    if path.is_relative_to(output):
        subfolder = path.relative_to(output).as_posix().rpartition("/")[0]
        return ui.SavedResult(path.name, subfolder, io.FolderType.output)
    # Saved elsewhere, by a run from a shell: the host serves files of its own folders only.
    copy = Path(
        folder_paths.get_temp_directory(), f"{hashlib.sha256(bytes(path)).hexdigest()}{path.suffix}"
    )
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return ui.SavedResult(copy.name, "", io.FolderType.temp)
