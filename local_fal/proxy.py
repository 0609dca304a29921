"""The front door: a CONNECT proxy that leads to local_fal for fal's hosts, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from .state import ServerState

PRIMARIES = ("fal.run", "queue.fal.run")
CHUNK = 64 * 1024
BACKLOG = 1024
GONE = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@asynccontextmanager
async def open_door(
    desk: ServerState, hosts: Collection[str], secure_port: int, plain_port: int, port: int
) -> AsyncIterator[int]:
    """Listen on 127.0.0.1, and yield the port.

    Args:
        desk: Where refused hosts are written down, and what goes wrong.
        hosts: Those whose CONNECT is let in.
        secure_port: Where TLS is spoken, behind the door.
        plain_port: Where requests without CONNECT go.
        port: Where to listen; 0 for any that is free.

    Raises:
        OSError: The port is taken.
    """
    door = ConnectProxy(desk, hosts, secure_port, plain_port)
    server = await asyncio.start_server(door.welcome, "127.0.0.1", port, backlog=BACKLOG)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for guest in list(door.guests):
            guest.cancel()


class ConnectProxy:
    """Joins each connection to one of the two servers behind it; see `open_door`."""

    def __init__(
        self, desk: ServerState, hosts: Collection[str], secure_port: int, plain_port: int
    ) -> None:
        self._desk = desk
        self._hosts = hosts
        self._secure_port = secure_port
        self._plain_port = plain_port
        self.guests: set[asyncio.Task[None]] = set()

    async def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self.guests.add(task)
        try:
            await self._serve(reader, writer)
        except (*GONE, asyncio.CancelledError):
            pass
        finally:
            self.guests.discard(task)
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
            self._desk.refuse(authority)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        if host in PRIMARIES and self._desk.faults.take("primary_dead"):
            return
        await _join(reader, writer, self._secure_port, b"")


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, head: bytes
) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    back.write(head)
    ways = [
        asyncio.create_task(_carry(reader, back)),
        asyncio.create_task(_carry(there, writer)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        back.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
