"""URLs of a clip: private addresses in every spelling, and whatever is not plain https."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl

import httpx
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidu.errors import UnsafeUrlError
from vidu.fal.download import download
from vidu.fal.safe_url import check_url, is_public
from vidu.settings import Settings

from ...support.checked_urls import refused

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


# -- literals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", PRIVATE_V4)
async def test_check_url_private_address_in_every_spelling_is_refused(address):
    for spelling in (address, *old_spellings(address)):
        await refused(f"https://{spelling}/clip.mp4")


@pytest.mark.parametrize("address", PRIVATE_V6)
async def test_check_url_private_ipv6_address_is_refused(address):
    await refused(f"https://[{address}]/clip.mp4")


@pytest.mark.parametrize("address", PRIVATE_V4)
async def test_check_url_private_address_inside_an_ipv6_one_is_refused(address):
    inner = ipaddress.IPv4Address(address)
    mapped = ipaddress.IPv6Address(int(ipaddress.IPv6Address("::ffff:0:0")) + int(inner))
    to_four = ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) + (int(inner) << 80))
    nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(inner))
    for outer in (mapped, to_four, nat64, f"::ffff:{inner}", mapped.exploded):
        await refused(f"https://[{outer}]/clip.mp4")


@pytest.mark.parametrize("address", PUBLIC)
async def test_check_url_public_address_passes(address):
    await check_url(f"https://[{address}]/x" if ":" in address else f"https://{address}/x")


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"])
async def test_check_url_public_address_inside_an_ipv6_one_passes(address):
    await check_url(f"https://[{address}]/clip.mp4")


@given(st.ip_addresses())
def test_is_public_address_of_a_private_network_is_false(address):
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    if inner.is_private or inner.is_multicast or getattr(inner, "is_site_local", False):
        assert not is_public(str(address))


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
async def test_check_url_other_than_plain_https_is_refused(url):
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
async def test_check_url_that_cannot_be_parsed_is_refused(url):
    assert "fal's address for the file" in await refused(url)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(url=st.text() | st.from_regex(r"https?://[^/]{0,20}(:\d{0,6})?/.*", fullmatch=True))
async def test_check_url_any_text_passes_or_is_refused(url, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")  # for no name server to be asked
    try:
        await check_url(url)
    except UnsafeUrlError as error:
        assert "fal's address for the file" in str(error)


async def test_download_name_that_resolves_to_another_address_later_is_refused(
    monkeypatch, tmp_path
):
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
