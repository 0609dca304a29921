"""A CONNECT proxy that leads to local_fal for fal's hosts, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from .state import ServerState

PRIMARY = "queue.fal.run"
CHUNK = 64 * 1024
BACKLOG = 1024
DISCONNECTS = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@asynccontextmanager
async def open_proxy(
    state: ServerState, hosts: Collection[str], secure_port: int, plain_port: int, port: int
) -> AsyncIterator[int]:
    """Listen on 127.0.0.1, and yield the port.

    Args:
        state: Where refused hosts are recorded, and what goes wrong.
        hosts: Those whose CONNECT is let in.
        secure_port: Where TLS is spoken, behind the proxy.
        plain_port: Where requests without CONNECT go.
        port: Where to listen; 0 for any that is free.

    Raises:
        OSError: The port is taken.
    """
    proxy = ConnectProxy(state, hosts, secure_port, plain_port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", port, backlog=BACKLOG)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(proxy.connections):
            connection.cancel()


class ConnectProxy:
    """Joins each connection to one of the two servers behind it; see `open_proxy`."""

    def __init__(
        self, state: ServerState, hosts: Collection[str], secure_port: int, plain_port: int
    ) -> None:
        self._state = state
        self._hosts = hosts
        self._secure_port = secure_port
        self._plain_port = plain_port
        self.connections: set[asyncio.Task[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            await self._serve(reader, writer)
        except (*DISCONNECTS, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, *_ = head.split(maxsplit=2)
        if method != b"CONNECT":
            await _join(reader, writer, self._plain_port, head)
            return
        authority = target.decode("latin-1")
        host, _, port = authority.rpartition(":")
        if host not in self._hosts or port != "443":
            self._state.refuse(authority)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        if host == PRIMARY and self._state.faults.take("primary_dead"):
            return
        await _join(reader, writer, self._secure_port, b"")


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, head: bytes
) -> None:
    server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
    server_writer.write(head)
    directions = [
        asyncio.create_task(_copy(reader, server_writer)),
        asyncio.create_task(_copy(server_reader, writer)),
    ]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for direction in directions:
            direction.cancel()
        server_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
