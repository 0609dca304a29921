"""Proxies of the environment and of the system, also those on which httpx fails."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from vidu.credentials import Secret
from vidu.errors import InvalidProxyError, InvalidSettingError
from vidu.fal.certificates import create_tls_context
from vidu.fal.client import Fal
from vidu.fal.proxies import SYSTEM, find_proxy
from vidu.models import RequestHandle
from vidu.provider import CancelReply, Queued
from vidu.settings import Settings

from ...support.raw_fal import KEY, response, running_raw_fal

BASE = "https://queue.fal.run/fal-ai/vidu/requests/r-1"
HANDLE = RequestHandle("r-1", f"{BASE}/status", BASE, f"{BASE}/cancel")


@pytest.fixture(autouse=True)
def _no_proxies(bare_environment, monkeypatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("value", "proxy"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("HTTP://proxy:3128", "http://proxy:3128"),
        ("proxy:3128", "http://proxy:3128"),
        (" http://proxy:3128/ ", "http://proxy:3128/"),
        ("http://user:word@proxy:3128", "http://user:word@proxy:3128"),
        ("socks5://[::1]:1080", "socks5://[::1]:1080"),
        ("socks5h://proxy:1080", "socks5h://proxy:1080"),
        ("socks://proxy:1080/", "socks5://proxy:1080/"),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_find_proxy_every_spelling_is_understood(variable, value, proxy, monkeypatch):
    monkeypatch.setenv(variable, value)
    assert find_proxy("queue.fal.run") == proxy


@pytest.mark.parametrize(
    "value",
    ["socks4://proxy:1080", "ftp://proxy", "http://", "http://[::1", "://proxy", "http://a:b:c/"],
)
def test_find_proxy_unusable_value_is_named_with_its_variable(value, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(InvalidProxyError) as caught:
        find_proxy("queue.fal.run")
    assert f"The proxy in ALL_PROXY cannot be used: {value}." in str(caught.value)
    assert "Nothing was charged" in str(caught.value)


def test_find_proxy_password_is_never_told(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks4://user:secret@proxy:1080")
    with pytest.raises(InvalidProxyError) as caught:
        find_proxy("queue.fal.run")
    assert "secret" not in str(caught.value)
    assert "socks4://***@proxy:1080" in str(caught.value)


def test_find_proxy_https_takes_precedence_over_all(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks4://broken")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert find_proxy("queue.fal.run") == "http://proxy:3128"


@pytest.mark.parametrize(
    ("bypass", "is_direct"),
    [
        ("fal.run", True),
        (".fal.run", True),
        ("queue.fal.run", True),
        ("*", True),
        ("localhost,127.0.0.0/8,::1,fal.run", True),
        ("al.run", False),
        ("fe80::/10", False),
        ("fd00::/8,[::1],10.0.0.0/8", False),
        ("::/0", False),
        ("localhost, [fe80::1%eth0]", False),
        ("http://", False),
        ("a b,,\t,%", False),
    ],
)
def test_find_proxy_no_proxy_is_read_without_failing(bypass, is_direct, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", bypass)
    assert (find_proxy("queue.fal.run") is None) is is_direct


@pytest.mark.parametrize(
    "bypass", ["fe80::/10", "fd00::/8,[::1]", "http://", "a b,,%", "[fe80::1%eth0]"]
)
async def test_client_with_any_no_proxy_can_be_built(bypass, monkeypatch):
    monkeypatch.setenv("NO_PROXY", bypass)
    async with Fal(Secret(KEY)):
        pass


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY"])
@pytest.mark.parametrize("value", ["socks4://proxy:1080", "http://[::1"])
async def test_client_with_unusable_proxy_is_refused_before_anything_is_sent(
    variable, value, monkeypatch
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidProxyError, match=variable):
        Fal(Secret(KEY))


async def test_client_without_socksio_says_how_to_install_it(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    with pytest.raises(InvalidProxyError, match=r"pip install -U .socksio>=1\.0"):
        Fal(Secret(KEY))


# -- Windows and macOS, where the system names the proxy ------------------------------------------


def test_find_proxy_of_the_registry_and_its_bypass_list(monkeypatch):
    registry = {"http": "http://proxy:80", "https": "http://proxy:80", "ftp": "http://proxy:80"}
    monkeypatch.setattr(urllib.request, "getproxies", lambda: registry)
    monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host.endswith("fal.media"))
    assert find_proxy("queue.fal.run") == "http://proxy:80"
    assert find_proxy("v3b.fal.media") is None


def test_find_proxy_socks_entry_of_the_registry_is_version_5(monkeypatch):
    # Python makes socks4:// of it, whatever the server speaks.
    registry = {"socks": "socks://proxy:1080", "https": "socks4://proxy:1080"}
    monkeypatch.setattr(urllib.request, "getproxies", lambda: registry)
    assert find_proxy("queue.fal.run") == "socks5://proxy:1080"
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"socks": "socks://proxy:1080"})
    assert find_proxy("queue.fal.run") == "socks5://proxy:1080"


def test_find_proxy_unusable_value_of_the_system_is_named_as_such(monkeypatch):
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "gopher://proxy"})
    with pytest.raises(InvalidProxyError, match=SYSTEM):
        find_proxy("queue.fal.run")


# -- a SOCKS server that works --------------------------------------------------------------------


@pytest.fixture
def socks_port() -> Iterator[list[int]]:
    """The port of a SOCKS5 server before raw fal; the second item is raw fal's, set by the test."""
    listener = socket.create_server(("127.0.0.1", 0))
    ports = [listener.getsockname()[1], 0]

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def serve(client: socket.socket) -> None:
        client.recv(client.recv(2)[1])
        client.sendall(b"\x05\x00")
        _, _, _, kind = client.recv(4)
        assert kind == 3  # the name is the server's to look up
        host = client.recv(client.recv(1)[0])
        (port,) = struct.unpack(">H", client.recv(2))
        inner = socket.create_connection(("127.0.0.1", ports[1]))
        inner.sendall(b"CONNECT %b:%d HTTP/1.1\r\n\r\n" % (host, port))
        while not inner.recv(1000).endswith(b"\r\n\r\n"):
            pass
        client.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        threading.Thread(target=pump, args=(inner, client), daemon=True).start()
        pump(client, inner)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield ports
    listener.close()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
async def test_client_behind_a_socks_server_works(scheme, socks_port, tmp_path, monkeypatch):
    queued = response(json.dumps({"status": "IN_QUEUE", "queue_position": 2, "logs": None}), 202)
    cancelled = response('{"status": "OK"}')

    def respond(received, connection):
        connection.sendall(cancelled if received.method == "PUT" else queued)

    with running_raw_fal(tmp_path, respond) as fal:
        socks_port[1] = fal.port
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{socks_port[0]}")
        monkeypatch.setenv("SSL_CERT_FILE", str(fal.authority))
        async with Fal(Secret(KEY), Settings(read_timeout_s=5, retry_timeout_s=0)) as client:
            assert await client.status(HANDLE) == Queued(2)
            assert await asyncio.to_thread(client.cancel, HANDLE) is CancelReply.REMOVED
    assert [each.method for each in fal.received] == ["GET", "PUT"]


# -- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_tls_context_of_named_authorities_has_these_alone(variable, tmp_path, monkeypatch):
    with running_raw_fal(tmp_path, lambda *_: None) as fal:
        monkeypatch.setenv(variable, str(fal.authority if variable.endswith("FILE") else tmp_path))
        names = [each["subject"] for each in create_tls_context().get_ca_certs()]
    assert len(names) == (1 if variable.endswith("FILE") else 0)  # of a folder, read when needed


def test_tls_context_by_default_has_mozillas_list(monkeypatch):
    assert len(create_tls_context().get_ca_certs()) > 50


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_tls_context_of_an_unreadable_file_names_the_variable(content, tmp_path, monkeypatch):
    path = tmp_path / "missing.pem"
    if content:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(InvalidSettingError) as caught:
        create_tls_context()
    assert f"SSL_CERT_FILE is {path}" in str(caught.value)
