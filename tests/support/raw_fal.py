"""fal's hosts behind a proxy, over TLS, with responses written byte by byte by a test.

For wire behavior that an HTTP server does not let through: bodies without end, bytes that drip,
packed bodies, lengths that lie, connections that are closed at the wrong moment.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme

HOSTS = (
    *("queue.fal.run", "queue.falrun.com", "rest.fal.ai", "api.fal.ai"),
    *("v3.fal.media", "v3b.fal.media", "fal.media"),
)
KEY = "an-id:a-secret"


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    host: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


Respond = Callable[[Received, socket.socket], object]
"""Writes the response to the socket; returning True keeps the connection open."""


@dataclass
class RawFal:
    """What was asked, and where to ask."""

    port: int
    authority: Path
    received: list[Received] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "SSL_CERT_FILE": str(self.authority),
            "FAL_KEY": KEY,
        }


def response(
    body: bytes | str = b"", status: int = 200, *headers: str, length: int | None = -1
) -> bytes:
    """A response with its Content-Length; another, or with `None` no length at all."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", *headers]
    if length is not None:
        lines.append(f"Content-Length: {len(data) if length == -1 else length}")
    return "\r\n".join([*lines, "", ""]).encode() + data


@contextmanager
def running_raw_fal(
    folder: Path, respond: Respond, hosts: tuple[str, ...] = HOSTS
) -> Iterator[RawFal]:
    """Serve fal's hosts until the block ends, each connection in a thread of its own."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts).configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=50)
    fal = RawFal(listener.getsockname()[1], folder / "authority.pem")
    connections: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                number = len(connections)
                threading.Thread(target=serve, args=(connection, number), daemon=True).start()

    def serve(connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError):
            head = _read_head(connection)
            host = head.split(b" ")[1].partition(b":")[0].decode()
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(connection, server_side=True) as secured:
                connections.append(secured)
                keeps = True
                while keeps:
                    request = _read_request(secured, host, number)
                    fal.received.append(request)
                    keeps = respond(request, secured) is True

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield fal
    finally:
        listener.close()
        for connection in connections:
            with suppress(OSError):
                connection.close()


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ValueError("closed")
        head += byte
    return head


def _read_request(connection: socket.socket, host: str, number: int) -> Received:
    first, *lines = _read_head(connection).decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return Received(host, method, target, headers, body, number)
