"""A TCP proxy before a PostgreSQL server that fails where it is told to, statement by statement."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

import psycopg

REQUEST_FOR_TLS = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
STARTUP_HEADER = 4  # the first message has a length and no kind
HEADER = 5
PARTS_OF_A_STATEMENT = b"PBDE"  # parse, bind, describe, execute
ENDS_OF_A_STATEMENT = b"QS"  # a simple query; the sync after the parts of another
DELAY_S = 0.3


class Fault(Enum):
    """What the proxy does at a statement."""

    CUT_BEFORE = "both sides are cut, and the server never sees the statement"
    CUT_AFTER = "the server gets the statement, and then both sides are cut"
    DELAY = "the statement arrives late"
    HALF_CLOSE_CLIENT = "the client is told that the server sends no more; the server lives on"
    HALF_CLOSE_SERVER = "the server is told that the client sends no more; its answer is lost"
    SILENCE = "nothing is passed on any more, and nobody hangs up"


Choose = Callable[[int], Fault | None]


class PostgresProxy:
    """The proxy.

    Args:
        target: The server's socket.
        choose: Says what happens at a statement; called with its number over all connections.
        tls: With it the proxy speaks TLS to clients that ask for it, as a server does.
    """

    def __init__(self, target: Path, choose: Choose, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._choose = choose
        self._tls = tls
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.statements = 0
        self.faults = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def close(self) -> None:
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._target))
            except OSError:  # it is being restarted
                client.close()
                continue
            if self._tls:
                client = self._offer_tls(client, self._tls)
            self._open += [client, server]
            connection = _Connection(client, server, self._next)
            threading.Thread(target=connection.pump_statements, daemon=True).start()
            threading.Thread(target=connection.pump_answers, daemon=True).start()

    @staticmethod
    def _offer_tls(client: socket.socket, tls: ssl.SSLContext) -> socket.socket:
        if client.recv(8, socket.MSG_PEEK) != REQUEST_FOR_TLS:
            return client
        client.recv(8)
        client.sendall(b"S")
        try:
            encrypted = tls.wrap_socket(client, server_side=True)
        except OSError:  # it does not like the certificate
            return client
        ours, theirs = socket.socketpair()
        threading.Thread(target=_relay, args=(encrypted, theirs), daemon=True).start()
        return ours

    def _next(self) -> Fault | None:
        with self._lock:
            fault = self._choose(self.statements)
            self.statements += 1
            self.faults += fault is not None
        return fault


class _Connection:
    def __init__(
        self, client: socket.socket, server: socket.socket, next_fault: Callable[[], Fault | None]
    ) -> None:
        self._client = client
        self._server = server
        self._next_fault = next_fault
        self._silent = threading.Event()

    def pump_statements(self) -> None:
        pending = b""
        for message in _messages(self._client):
            pending += message
            kind = message[:1]
            if kind in PARTS_OF_A_STATEMENT:
                continue
            if kind not in ENDS_OF_A_STATEMENT:
                self._send(pending)
            elif not self._pass_on(pending):
                break
            pending = b""
        # Nothing is passed on any more. Where a client that is gone cannot tell the server, the
        # server's keepalives do.
        with suppress(OSError):
            while self._client.recv(1 << 16):
                pass
        self._shut(self._server)

    def pump_answers(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(1 << 16):
                if not self._silent.is_set():
                    self._client.sendall(data)
        if not self._silent.is_set():
            self._shut(self._client)

    def _pass_on(self, statement: bytes) -> bool:
        """Send a statement to the server; return whether the connection goes on."""
        fault = self._next_fault()
        if fault is None:
            self._send(statement)
            return True
        if fault is Fault.DELAY:
            time.sleep(DELAY_S)
            self._send(statement)
            return True
        if fault is Fault.CUT_BEFORE:
            self._shut(self._server)
            self._shut(self._client)
        elif fault is Fault.CUT_AFTER:
            self._silent.set()
            self._send(statement)
            time.sleep(DELAY_S)  # it has it, and has carried it out
            self._shut(self._server)
            self._shut(self._client)
        elif fault is Fault.HALF_CLOSE_CLIENT:
            self._silent.set()
            self._client.shutdown(socket.SHUT_WR)
            self._send(statement)
        elif fault is Fault.HALF_CLOSE_SERVER:
            self._silent.set()
            self._send(statement)
            self._server.shutdown(socket.SHUT_WR)
        else:
            self._silent.set()
        return False

    def _send(self, data: bytes) -> None:
        with suppress(OSError):
            self._server.sendall(data)

    @staticmethod
    def _shut(side: socket.socket) -> None:
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


def _relay(encrypted: ssl.SSLSocket, plain: socket.socket) -> None:
    """Pass on what comes, in one thread: a TLS socket is not for two at once."""
    with encrypted, plain, suppress(OSError):
        while True:
            readable = [encrypted] if encrypted.pending() else []
            for side in readable or select.select([encrypted, plain], [], [])[0]:
                data = side.recv(1 << 16)
                if not data:
                    return
                (plain if side is encrypted else encrypted).sendall(data)


def _messages(client: socket.socket) -> Iterator[bytes]:
    """Yield what a client sends, message by message; see the protocol's message formats."""
    buffer, header = b"", STARTUP_HEADER
    while True:
        while len(buffer) >= header:
            length = int.from_bytes(buffer[header - 4 : header], "big") + header - 4
            if len(buffer) < length:
                break
            message, buffer = buffer[:length], buffer[length:]
            is_request_for_tls = header == STARTUP_HEADER and length == 8
            header = STARTUP_HEADER if is_request_for_tls else HEADER
            yield message
        try:
            data = client.recv(1 << 16)
        except OSError:
            return
        if not data:
            return
        buffer += data


@contextmanager
def faulty_postgres(
    url: str, choose: Choose, tls: ssl.SSLContext | None = None
) -> Iterator[PostgresProxy]:
    """Run a proxy before the server that `url` leads to over a socket."""
    folder = psycopg.conninfo.conninfo_to_dict(url)["host"]
    (target,) = (each for each in Path(folder).glob(".s.PGSQL.*") if each.suffix != ".lock")
    proxy = PostgresProxy(target, choose, tls)
    try:
        yield proxy
    finally:
        proxy.close()
