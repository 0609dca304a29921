from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidu.credentials import Secret
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import Charge, ServiceError, UnsafeUrlError
from vidu.fal.client import Fal
from vidu.fal.download import download
from vidu.fal.safe_url import LOCAL_NAMES, check_url, is_public
from vidu.settings import Settings

HOSTS = Path("/etc/hosts")

PRIVATE_V4 = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.2.1", "240.0.0.1"),
    *("255.255.255.255", "224.0.0.1", "239.255.255.250"),
]
PRIVATE_V6 = [
    *("::1", "::", "fe80::1", "fe80::1%25eth0", "fc00::1", "fdff::1", "ff02::1", "fec0::1"),
    *("2001:db8::1", "100::1", "5f00::1", "::7f00:1", "::808:808", "64:ff9b:1::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2",),
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00::1"]


def old_spellings(address: str) -> list[str]:
    """What inet_aton, and with it many a connect, takes for a dotted address."""
    a, b, c, d = map(int, address.split("."))
    whole = int(ipaddress.IPv4Address(address))
    return [
        str(whole),
        hex(whole),
        f"0{whole:o}",
        f"{a}.{whole & 0xFFFFFF}",
        f"{a}.{b}.{whole & 0xFFFF}",
        f"0x{a:x}.{b}.{c}.{d}",
        f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"0{a:o}.{b}.{c}.{d}",
        f"{address}.",
        address.replace(".", "\u3002"),
        address.replace(".", "\uff0e"),
    ]


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


async def refused(url: str) -> str:
    with pytest.raises(UnsafeUrlError) as error:
        await check_url(url)
    assert error.value.charge is Charge.SPENT
    return str(error.value)


# -- literals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", PRIVATE_V4)
async def test_a_private_address_is_refused_in_every_spelling(address):
    for spelling in (address, *old_spellings(address)):
        await refused(f"https://{spelling}/clip.mp4")


@pytest.mark.parametrize("address", PRIVATE_V6)
async def test_a_private_ipv6_address_is_refused(address):
    await refused(f"https://[{address}]/clip.mp4")


@pytest.mark.parametrize("address", PRIVATE_V4)
async def test_a_private_address_inside_an_ipv6_one_is_refused(address):
    inner = ipaddress.IPv4Address(address)
    mapped = ipaddress.IPv6Address(int(ipaddress.IPv6Address("::ffff:0:0")) + int(inner))
    to_four = ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) + (int(inner) << 80))
    nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(inner))
    for outer in (mapped, to_four, nat64, f"::ffff:{inner}", mapped.exploded):
        await refused(f"https://[{outer}]/clip.mp4")


@pytest.mark.parametrize("address", PUBLIC)
async def test_a_public_address_passes(address):
    await check_url(f"https://[{address}]/x" if ":" in address else f"https://{address}/x")


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"])
async def test_a_public_address_inside_an_ipv6_one_passes(address):
    await check_url(f"https://[{address}]/clip.mp4")


@given(st.ip_addresses())
def test_no_address_of_a_private_network_is_public(address):
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    if inner.is_private or inner.is_multicast or getattr(inner, "is_site_local", False):
        assert not is_public(str(address))


# -- names ---------------------------------------------------------------------------------------


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
async def test_a_local_name_is_refused(name):
    assert "names a local host" in await refused(f"https://{name}/clip.mp4")


async def test_a_name_that_leads_to_this_machine_is_refused(own_name):
    said = await refused(f"https://{own_name}/clip.mp4")
    assert "private network" in said


async def test_a_name_that_resolves_to_nothing_is_left_to_the_connection():
    await check_url("https://fal.invalid/clip.mp4")


async def test_behind_a_proxy_names_are_the_proxys_to_resolve(own_name, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    await check_url(f"https://{own_name}/clip.mp4")


async def test_a_proxy_for_everything_counts(own_name, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")
    await check_url(f"https://{own_name}/clip.mp4")


async def test_a_proxy_for_http_alone_does_not(own_name, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    await refused(f"https://{own_name}/clip.mp4")


async def test_a_name_that_goes_past_the_proxy_is_resolved(own_name, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", own_name)
    await refused(f"https://{own_name}/clip.mp4")


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "[::1]", "localhost", "10.1"])
async def test_behind_a_proxy_what_names_this_machine_is_refused_all_the_same(host, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    await refused(f"https://{host}/clip.mp4")


# -- everything else of an address ---------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/clip.mp4",
        "ftp://8.8.8.8/clip.mp4",
        "file:///etc/passwd",
        "file://8.8.8.8/etc/passwd",
        "data:video/mp4;base64,AAAA",
        "//8.8.8.8/clip.mp4",
        "/clip.mp4",
        "clip.mp4",
        "",
        "https:",
        "https://",
        "https:///clip.mp4",
        "https://user@8.8.8.8/",
        "https://user:password@8.8.8.8/",
        "https://8.8.8.8\\@127.0.0.1/",
    ],
)
async def test_only_plain_https_is_fetched(url):
    said = await refused(url)
    assert "password" not in said


@pytest.mark.parametrize(
    "url",
    [
        *("https://[::1", "https://h:port/", "https://h:99999/", "https://8.8.8.8:99999/"),
        *("https://xn--/", "https://xn--zzzz-/", "https://256.1.1.1/", "https://\u2460.com/"),
        *(f"https://{'a' * 64}.com/", "https://a..com/", "https://h/\x00", "h" * 100_000),
        *(None, 7, b"https://8.8.8.8/"),
    ],
    ids=lambda url: repr(url)[:24],
)
async def test_what_can_not_be_read_is_refused_in_words(url):
    assert "fal's address for the file" in await refused(url)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(url=st.text() | st.from_regex(r"https?://[^/]{0,20}(:\d{0,6})?/.*", fullmatch=True))
async def test_whatever_fal_names_it_passes_or_is_refused(url, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")  # for no name server to be asked
    try:
        await check_url(url)
    except UnsafeUrlError as error:
        assert "fal's address for the file" in str(error)


async def test_a_name_that_leads_elsewhere_at_the_next_look_up_is_refused(monkeypatch, tmp_path):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        await writer.drain()

    authority, require_fal_urls = trustme.CA(), ssl.create_default_context()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("clips.example").configure_cert(served)
    authority.configure_trust(require_fal_urls)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=served)
    port = server.sockets[0].getsockname()[1]
    addresses = iter(["93.184.216.34"])

    def search_entries(*_, **__):
        address = (next(addresses, "127.0.0.1"), port)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]

    monkeypatch.setattr(socket, "getaddrinfo", search_entries)
    part = tmp_path / "part"
    async with server, httpx.AsyncClient(verify=require_fal_urls) as http:
        with pytest.raises(UnsafeUrlError, match="private network"):
            url = f"https://clips.example:{port}/clip.mp4"
            await download(http, url, part, None, Settings(), lambda _: None)
    assert not part.exists()


# -- tunnels that answer for every name ----------------------------------------------------------


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
