"""Proxies as the environment, or the system on Windows and macOS, names them.

httpx reads the same variables but fails on some of their values with an exception of Python's own,
and knows nothing of the exceptions in Windows' registry. One look-up here serves every client and
`safe_url`, so that both agree on which host is reached through a proxy.
"""

from __future__ import annotations

import os
import urllib.request

import httpx

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
