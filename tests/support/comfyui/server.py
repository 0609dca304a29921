"""A server that writes down what it is told to send."""

from __future__ import annotations

from typing import Any

from aiohttp import web


class PromptQueue:
    """The queue: at most one prompt, which runs."""

    def __init__(self) -> None:
        self.running: list[tuple[int, str, dict[str, Any]]] = []

    def get_current_queue_volatile(self) -> tuple[list[Any], list[Any]]:
        return list(self.running), []


class PromptServer:
    """The one server, as `PromptServer.instance`."""

    instance: PromptServer

    def __init__(self) -> None:
        self.app = web.Application()
        self.routes = web.RouteTableDef()
        self.prompt_queue = PromptQueue()
        self.client_id = "a-client"
        self.texts: list[str] = []
        self.events: list[tuple[str, Any]] = []

    def send_sync(self, event: str, data: Any, sid: str | None = None) -> None:
        self.events.append((event, data))

    def send_progress_text(self, text: str, node_id: str, sid: str | None = None) -> None:
        self.texts.append(text)


PromptServer.instance = PromptServer()
