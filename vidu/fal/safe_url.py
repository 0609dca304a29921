"""Which addresses are fetched: https, and no host of this machine or its network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import urllib.request

import httpx

from ..errors import UnsafeUrlError

LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")
UNREADABLE = "fal's address for the clip cannot be read."

GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out of IPv6; site-local and IPv4-compatible addresses lie outside."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where a network without IPv4 shows the IPv4 internet (RFC 6052)."""


TUNNEL = ipaddress.IPv4Network("198.18.0.0/15")
"""What tunnelling proxies (Clash, Surge) answer for every name; no host of a network has these."""


async def check_url(url: str) -> None:
    """Raise `UnsafeUrlError` unless `url` may be fetched.

    Behind a proxy a name is the proxy's to resolve; without one it is resolved here, and every
    address that it has must be public.
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
            f"fal's address for the clip is not a plain https one ({parsed.scheme})."
        )
    if host in LOCAL_NAMES or host.endswith(tuple(f".{name}" for name in LOCAL_NAMES)):
        raise UnsafeUrlError(f"fal's address for the clip names a local host ({host}).")
    literal = _literal(host)
    for address in literal or await _resolved(host, port):
        if not is_public(address) and (literal or not _is_tunnel(address)):
            raise UnsafeUrlError(
                f"fal's address for the clip leads into a private network ({host})."
            )


def check_peer(response: httpx.Response) -> None:
    """Raise `UnsafeUrlError` when the answer came from a private address after all.

    A name may lead elsewhere at each look-up, so what `check_url` saw is looked at again.
    """
    host, stream = response.url.host, response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream and not _behind_proxy(host) else None
    if peer and not is_public(peer[0]) and not _is_tunnel(peer[0]):
        raise UnsafeUrlError(f"fal's address for the clip leads into a private network ({host}).")


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or _translated(ip)
        if inner is None and ip not in GLOBAL_UNICAST:
            return False
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None


def _is_tunnel(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    return isinstance(ip, ipaddress.IPv4Address) and ip in TUNNEL


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
    if _behind_proxy(host):
        return []
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []  # connecting says so, in its own words
    except UnicodeError:
        raise UnsafeUrlError(UNREADABLE) from None
    return [str(sockaddr[0]) for *_, sockaddr in found]


def _behind_proxy(host: str) -> bool:
    proxies = urllib.request.getproxies()
    return bool(proxies.get("https") or proxies.get("all")) and not (
        urllib.request.proxy_bypass(host)
    )
