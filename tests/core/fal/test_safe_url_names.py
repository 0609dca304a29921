"""Names in a clip's URL: this machine's own, behind a proxy, through a tunnel."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from vidu.credentials import Secret
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import Charge, ServiceError
from vidu.fal.client import Fal
from vidu.fal.safe_url import LOCAL_NAMES, check_url, is_public

from ...support.checked_urls import refused

HOSTS = Path("/etc/hosts")


def names_of_this_machine() -> list[str]:
    """Names that resolve here to a private address and whose look does not tell."""
    lines = HOSTS.read_text(errors="replace").splitlines() if HOSTS.exists() else []
    listed = [name for line in lines for name in line.partition("#")[0].split()[1:]]
    return [
        name
        for name in dict.fromkeys([*listed, socket.gethostname(), socket.getfqdn()])
        if name.isascii() and name.lower().split(".")[-1] not in LOCAL_NAMES and _is_private(name)
    ]


def _is_private(name: str) -> bool:
    try:
        found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return not all(is_public(str(sockaddr[0])) for *_, sockaddr in found)


@pytest.fixture
def own_name() -> str:
    names = names_of_this_machine()
    if not names:
        pytest.skip("this machine knows no name for itself but localhost")
    return names[0]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "localhost",
            "LOCALHOST",
            "localhost.",
            "fal.localhost",
            "printer.local",
            "PRINTER.Local.",
        ),
        *("metadata.google.internal", "nas.home.arpa", "local", "internal"),
    ],
)
async def test_check_url_local_name_is_refused(name):
    assert "names a local host" in await refused(f"https://{name}/clip.mp4")


async def test_check_url_name_of_this_machine_is_refused(own_name):
    said = await refused(f"https://{own_name}/clip.mp4")
    assert "private network" in said


async def test_check_url_name_that_does_not_resolve_passes():
    await check_url("https://fal.invalid/clip.mp4")


async def test_check_url_behind_a_proxy_resolves_no_name(own_name, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    await check_url(f"https://{own_name}/clip.mp4")


async def test_check_url_behind_all_proxy_resolves_no_name(own_name, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")
    await check_url(f"https://{own_name}/clip.mp4")


async def test_check_url_behind_http_proxy_alone_resolves_the_name(own_name, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    await refused(f"https://{own_name}/clip.mp4")


async def test_check_url_name_in_no_proxy_is_resolved(own_name, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", own_name)
    await refused(f"https://{own_name}/clip.mp4")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "[::1]", "localhost", "10.1"])
async def test_check_url_behind_a_proxy_name_of_this_machine_is_refused(host, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    await refused(f"https://{host}/clip.mp4")


@pytest.fixture
def answers(monkeypatch, bare_environment) -> Callable[..., None]:
    """Makes every name resolve to these addresses."""

    def answer(*addresses: str, port: int = 443) -> None:
        def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    *(socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)),
                )
                for address in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return answer


@pytest.mark.parametrize(
    "addresses",
    [
        ("198.18.0.7",),
        ("198.18.0.7", "198.19.255.254"),
        ("198.18.0.7", "fc00::7"),
        ("fdfe:dcba:9876::2", "198.18.0.7"),
        ("198.18.0.7", "fc00::7", "2606:4700:4700::1111"),
    ],
)
async def test_check_url_name_of_a_tunnel_passes(addresses, answers):
    answers(*addresses)
    assert await check_url("https://v3b.fal.media/1.mp4") is True


@pytest.mark.parametrize("addresses", [("1.1.1.1",), ("2606:4700:4700::1111", "1.1.1.1")])
async def test_check_url_public_name_is_no_tunnel(addresses, answers):
    answers(*addresses)
    assert await check_url("https://v3b.fal.media/1.mp4") is False


@pytest.mark.parametrize(
    "addresses",
    [
        ("fc00::7",),
        ("fdfe:dcba:9876::2", "fc00::7"),
        ("1.1.1.1", "fc00::7"),
        ("198.18.0.7", "1.1.1.1", "fc00::7"),
        ("198.18.0.7", "10.0.0.1"),
        ("198.18.0.7", "fe80::1"),
        ("198.18.0.7", "::1"),
        ("198.18.0.7", "127.0.0.1"),
        ("192.168.1.1", "fc00::7"),
    ],
)
async def test_check_url_private_address_beside_a_tunnel_is_refused(addresses, answers):
    answers(*addresses)
    assert "private network" in await refused("https://v3b.fal.media/1.mp4")


@pytest.mark.parametrize("address", ["198.18.0.7", "fc00::7"])
async def test_check_url_address_of_a_tunnel_without_a_name_is_refused(address, answers):
    answers("198.18.0.7")
    await refused(f"https://[{address}]/x" if ":" in address else f"https://{address}/x")


async def test_submit_where_downloads_would_be_refused_sends_nothing(answers):
    answers("fdfe:dcba:9876::2")
    async with Fal(Secret("an-id:a-secret")) as fal:
        with pytest.raises(ServiceError, match="file server has a private address") as caught:
            await fal.submit(VIDU_IMAGE_TO_VIDEO, {"prompt": "x"})
    assert caught.value.charge is Charge.NOT_SPENT
    assert "198.18.x" in caught.value.next_step
