"""Messages to the editors about the shots that run, and the state that the server keeps of them."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from comfy_api.latest import ComfyAPI
from comfy_execution.utils import get_executing_context
from server import PromptServer

from .jobs import Jobs, NodeRun
from .progress import NodeProgress
from .recent_requests import RecentRequests

JOBS: web.AppKey[Jobs] = web.AppKey("fal_vidu_jobs", Jobs)
RECENT_REQUESTS = web.AppKey("fal_vidu_recent_requests", RecentRequests)


def route_table() -> web.RouteTableDef:
    """Return the table of routes that the host serves, at its root and under /api."""
    PromptServer.instance.app[JOBS] = Jobs()
    PromptServer.instance.app[RECENT_REQUESTS] = RecentRequests()
    routes: web.RouteTableDef = PromptServer.instance.routes
    return routes


def jobs() -> Jobs:
    """Return the shots that run in this server."""
    running: Jobs = PromptServer.instance.app[JOBS]
    return running


def recent_requests() -> RecentRequests:
    """Return what the graphs asked for when they ran last."""
    recent: RecentRequests = PromptServer.instance.app[RECENT_REQUESTS]
    return recent


def track_job(display: NodeProgress, work: asyncio.Future[Any]) -> None:
    """List the display's shots among the running ones until their work is done.

    After Cancel that is later than the node's end: fal is still asked to cancel.
    """

    def end(_: object) -> None:
        jobs().end(display)
        _send_jobs()

    jobs().begin(display, _current_run())
    work.add_done_callback(end)


def _current_run() -> NodeRun:
    context = get_executing_context()
    if context is None:
        return NodeRun()
    return NodeRun(context.prompt_id, context.node_id)


def _send_jobs() -> None:
    # No words: a page of another site can listen to the socket, but not ask the route.
    PromptServer.instance.send_sync("vidu.jobs", {})


async def show(display: NodeProgress) -> None:
    """Show the newest moments on the running node, and warn in its editor."""
    if not display.pop_changed():
        return
    _send_jobs()
    warn(display)
    context = get_executing_context()
    if context is None:
        return
    fraction, text = display.render()
    await ComfyAPI().execution.set_progress(fraction, 1.0)
    server = PromptServer.instance
    # Without an address it would go to every editor, and name a node of another graph there.
    if server.client_id:
        server.send_progress_text(text, context.node_id, server.client_id)


def warn(display: NodeProgress) -> None:
    """Show the warnings in the editor that were not shown yet."""
    for warning in display.pop_warnings():
        notify(warning)


def notify(warning: str) -> None:
    """Show a warning in the editor that runs the prompt; without one it is in the log alone."""
    server = PromptServer.instance
    # Between prompts the host still has the client of the last one. Without an address a warning,
    # which may name a shot by its prompt, would go to every page that listens to the socket.
    if get_executing_context() and server.client_id:
        server.send_sync("vidu.warning", {"text": warning}, server.client_id)
