"""Responses written byte by byte, and a client that waits for them long or shortly."""

from __future__ import annotations

import json
import socket
import time

from vidu.credentials import Secret
from vidu.fal.client import Fal
from vidu.media.image import EncodedImage
from vidu.models import RequestHandle
from vidu.settings import Settings

from .raw_fal import KEY, Received, Respond, response

BASE = "https://queue.fal.run/fal-ai/vidu/requests/r-1"
HANDLE = RequestHandle("r-1", f"{BASE}/status", BASE, f"{BASE}/cancel")
QUEUED = json.dumps({"status": "IN_QUEUE", "queue_position": 2, "logs": None})
ACCEPTED = json.dumps(
    {
        "request_id": "r-1",
        "status_url": HANDLE.status_url,
        "response_url": HANDLE.response_url,
        "cancel_url": HANDLE.cancel_url,
    }
)
PATIENT = Settings(read_timeout_s=1, retry_timeout_s=20)
IMPATIENT = Settings(read_timeout_s=0.5, retry_timeout_s=0)
IMAGE = EncodedImage(b"pixels", "image/png", 2, 3, "ab" * 32)


def always(data: bytes) -> Respond:
    return lambda _, connection: connection.sendall(data)


def in_turn(*answers: bytes | Respond) -> Respond:
    """One answer after the other, the last one forever."""
    left = list(answers)

    def respond(received: Received, connection: socket.socket) -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, bytes):
            return connection.sendall(answer)
        return answer(received, connection)

    return respond


def name_of(answer: object) -> str:
    """The same in each process, as pytest-xdist needs it."""
    return getattr(answer, "__name__", repr(answer)[-40:])


def drip(_: Received, connection: socket.socket) -> None:
    """A byte each tenth of a second, forever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.1)


def endless(status: int, *headers: str) -> Respond:
    def respond(_: Received, connection: socket.socket) -> None:
        connection.sendall(response(b"", status, *headers, length=None))
        while True:
            connection.sendall(bytes(1_000_000))

    respond.__name__ = f"endless {status}"
    return respond


def client(settings: Settings = IMPATIENT) -> Fal:
    return Fal(Secret(KEY), settings)
