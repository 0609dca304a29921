"""The check of a clip's URL: https only, and no address of this machine or its network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx

from ..errors import UnsafeUrlError
from .proxies import find_proxy

LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")
UNREADABLE = "fal's address for the file cannot be read."

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out of IPv6; site-local and IPv4-compatible addresses lie outside."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where a network without IPv4 shows the IPv4 internet (RFC 6052)."""

TUNNEL = ipaddress.IPv4Network("198.18.0.0/15")
"""What tunnelling proxies (Clash, sing-box, Surge) answer for every name; no host has these."""

UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")
"""Where such a tunnel takes its IPv6 answers from (sing-box fc00::/18, others fdfe::/16)."""


async def check_url(url: str) -> bool:
    """Raise `UnsafeUrlError` unless `url` may be fetched.

    Behind a proxy a name is the proxy's to resolve; without one it is resolved here, and every
    address that it has must be public. A tunnel answers each name with addresses of its own pool:
    they pass, the IPv6 ones only where all IPv4 ones are of the tunnel's range.

    Returns:
        Whether the name is answered by a tunnel; `check_peer` has to know.
    """
    try:
        parsed = httpx.URL(url)
        host, port = parsed.host.rstrip(".").lower(), parsed.port or 443
    except (httpx.InvalidURL, TypeError, ValueError):
        raise UnsafeUrlError(UNREADABLE) from None
    if port > 65535:
        raise UnsafeUrlError(UNREADABLE)
    if parsed.scheme != "https" or not host or parsed.userinfo:
        raise UnsafeUrlError(
            f"fal's address for the file is not a plain https one ({parsed.scheme})."
        )
    if host in LOCAL_NAMES or host.endswith(tuple(f".{name}" for name in LOCAL_NAMES)):
        raise UnsafeUrlError(f"fal's address for the file names a local host ({host}).")
    literal = _literal(host)
    addresses = literal or await _resolved(host, port)
    is_tunnel = not literal and _is_tunnel(addresses)
    for address in addresses:
        if not is_public(address) and not (is_tunnel and _is_of_tunnel(address)):
            raise UnsafeUrlError(
                f"fal's address for the file leads into a private network ({host})."
            )
    return is_tunnel


def check_peer(response: httpx.Response, is_tunnel: bool) -> None:
    """Raise `UnsafeUrlError` when the response came from a private address after all.

    A name may lead elsewhere at each look-up, so what `check_url` saw is checked again.
    """
    host, stream = response.url.host, response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream and not find_proxy(host) else None
    if peer and not is_public(peer[0]) and not (is_tunnel and _is_of_tunnel(peer[0])):
        raise UnsafeUrlError(f"fal's address for the file leads into a private network ({host}).")


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet."""
    ip = _parse(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or _translated(ip)
        if inner is None and ip not in GLOBAL_UNICAST:
            return False
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None


def _is_tunnel(addresses: list[str]) -> bool:
    parsed = [_parse(address) for address in addresses]
    four = [ip for ip in parsed if isinstance(ip, ipaddress.IPv4Address)]
    return bool(four) and all(ip in TUNNEL for ip in four)


def _is_of_tunnel(address: str) -> bool:
    ip = _parse(address)
    return ip in (TUNNEL if isinstance(ip, ipaddress.IPv4Address) else UNIQUE_LOCAL)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address.partition("%")[0])


def _literal(host: str) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        # The old spellings, too: 127.1, 0x7f000001, 2130706433.
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except OSError:
        return []


async def _resolved(host: str, port: int) -> list[str]:
    if find_proxy(host):
        return []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []  # connecting says so, in its own words
    except UnicodeError:
        raise UnsafeUrlError(UNREADABLE) from None
    return [str(sockaddr[0]) for *_, sockaddr in found]
