"""The proxies that the environment, Windows or macOS names.

httpx reads the same variables but fails on some of their values with an exception of Python's own,
and knows nothing of the exceptions in Windows' registry. One look-up here serves every client and
`safe_url`, so that both agree on which host is reached through a proxy.
"""

from __future__ import annotations

import os
import ssl
import urllib.request

import httpx

from ..command_line import pip_command
from ..errors import InvalidProxyError

SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
SYSTEM = "the system's proxy setting"


def find_proxy(host: str) -> str | None:
    """Return the URL of the proxy for https to `host`, or None for a direct connection.

    `HTTPS_PROXY` takes precedence over `ALL_PROXY`; hosts in `NO_PROXY`, or in the bypass list of
    Windows or macOS, are reached directly.

    Args:
        host: A host name, or an address without brackets.

    Raises:
        InvalidProxyError: The setting cannot be used; the error names it and its value.
    """
    proxies = urllib.request.getproxies()
    name = next((name for name in ("https", "all", "socks") if proxies.get(name)), None)
    if name is None or urllib.request.proxy_bypass(host):
        return None
    return _parse(proxies[name].strip(), _source(name))


class ProxyTransport(httpx.AsyncBaseTransport):
    """Sends each request directly or through the proxy of its host.

    Args:
        context: Which certificates are trusted.
        limits: How many connections are kept.

    Raises:
        InvalidProxyError: The proxy for fal cannot be used.
    """

    def __init__(self, context: ssl.SSLContext, limits: httpx.Limits = httpx.Limits()) -> None:  # noqa: B008 (never changed)
        self._context = context
        self._limits = limits
        self._transports: dict[str | None, httpx.AsyncHTTPTransport] = {}
        self._transport_for("queue.fal.run")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        return await self._transport_for(request.url.host).handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport_for(self, host: str) -> httpx.AsyncHTTPTransport:
        proxy = find_proxy(host)
        if proxy not in self._transports:
            try:
                self._transports[proxy] = httpx.AsyncHTTPTransport(
                    verify=self._context, limits=self._limits, proxy=proxy
                )
            except ImportError as error:
                raise InvalidProxyError(
                    "The proxy is a SOCKS one, for which the package socksio is missing.",
                    f"Install it with: {pip_command('socksio', '1.0')}\nThen restart.",
                ) from error
        return self._transports[proxy]


def _parse(value: str, source: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    scheme = scheme.lower()
    if scheme == "socks" or (scheme == "socks4" and source == SYSTEM):
        # GNOME writes socks://, and Python makes socks4:// of every SOCKS entry in the registry.
        # Neither says which version the server speaks; nearly all speak 5.
        scheme = "socks5"
    url = f"{scheme}://{rest}"
    if scheme not in SCHEMES or not _has_host(url):
        raise InvalidProxyError(
            f"The proxy in {source} cannot be used: {_masked(value)}.",
            f"Set {source} to an address such as http://host:port or socks5://host:port, or "
            "remove it, and restart.",
        )
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host)
    except (httpx.InvalidURL, TypeError, ValueError):
        return False


def _source(name: str) -> str:
    variables = (f"{name}_proxy", f"{name.upper()}_PROXY")
    return next((each for each in variables if os.environ.get(each)), SYSTEM)


def _masked(value: str) -> str:
    """Return the address without a user and password that may be in it."""
    head, at, tail = value.rpartition("@")
    if not at:
        return value
    scheme, separator, _ = head.partition("://")
    return f"{scheme}://***@{tail}" if separator else f"***@{tail}"
