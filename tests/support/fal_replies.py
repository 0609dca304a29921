"""Replies as fal writes them, and what may never be shown of what was sent."""

from __future__ import annotations

import httpx

NGINX = "<html>\r\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
SENT = "a private prompt"


def reply(status: int, body: object = None, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=names)


def model_error(kind: str, msg: str, *loc: str, **more: object) -> dict:
    return {"detail": [{"type": kind, "loc": ["body", *loc], "msg": msg, "input": SENT, **more}]}
