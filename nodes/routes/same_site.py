"""Whether a request comes from the editor's own pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web


def require_same_site(request: web.Request) -> None:
    """Refuse what another site's page sends, also where the host allows it by a CORS header.

    Browsers say where a request comes from: in Sec-Fetch-Site, which a page cannot forge, or over
    plain HTTP in Origin alone. A program that is no browser sends neither, and is let through.

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
