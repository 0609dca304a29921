"""The check that a request comes from the editor's own pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

LOCAL_SUFFIXES = (".local", ".localhost", ".lan", ".home", ".internal", ".home.arpa")
"""Names that no public DNS server answers for (RFC 6761, 6762, 8375; ICANN for .internal)."""

ALLOWED_HOSTS = "VIDU_ALLOWED_HOSTS"
"""Environment variable: further host names of this server, separated by commas."""


def require_same_site(request: web.Request) -> None:
    """Refuse what another site's page sends, also where the host allows it by a CORS header.

    Browsers say where a request comes from: in Sec-Fetch-Site, which a page cannot forge, or over
    plain HTTP in Origin alone. A program that is not a browser sends neither, and is let through.

    Raises:
        web.HTTPForbidden: It comes from another site.
    """
    relation = request.headers.get("Sec-Fetch-Site")
    if relation is not None:
        # "none": typed into the address bar, or opened from a bookmark.
        allowed = relation == "same-origin" or (relation == "none" and request.method == "GET")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
    if not allowed:
        raise web.HTTPForbidden(text="Only the editor's own pages may ask for this.")


def require_known_host(request: web.Request) -> None:
    """Refuse a request to a name that a stranger can point at this machine.

    A page of evil.example whose name is rebound to 127.0.0.1 is of the same site as this server,
    for its browser; its Host header still says evil.example.

    Raises:
        web.HTTPForbidden: The name is neither an address nor local nor allowed.
    """
    if not is_known_host(request.host):
        raise web.HTTPForbidden(
            text=f"{urlsplit(f'//{request.host}').hostname} is not known as a name of this "
            f"server. If it is one, set {ALLOWED_HOSTS} to it, and restart ComfyUI."
        )


def is_known_host(host: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether a Host header names this machine in a way that no stranger can.

    Args:
        host: `name`, `name:port`, `address:port` or `[address]:port`.
        environ: The environment that may hold `VIDU_ALLOWED_HOSTS`.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if _is_address(name) or "." not in name or name.endswith(LOCAL_SUFFIXES):
        return True
    allowed = environ.get(ALLOWED_HOSTS, "").lower().split(",")
    return name in {entry.strip() for entry in allowed}


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
