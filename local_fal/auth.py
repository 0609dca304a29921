"""Authorization: the key, and the lock on an account."""

from __future__ import annotations

from aiohttp import web

from .faults import Faults
from .responses import CannedResponse, error_detail

LOCKED = {
    "user_locked": "User is locked. Reason: Exhausted balance."
    " Top up your balance at fal.ai/dashboard/billing.",
    "admin_locked": "User is locked. Reason: Admin lock. Please contact support@fal.ai",
}
MALFORMED = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."


def key_error(request: web.Request, key: str, when_missing: str) -> CannedResponse | None:
    """Return the 401 for a request without the right key (fal.md 2.4).

    Args:
        request: The request.
        key: The one key that is right.
        when_missing: The message when there is none.
    """
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return error_detail(401, when_missing)
    if scheme != "Key" or given.count(":") != 1 or not all(given.split(":")):
        return error_detail(401, MALFORMED)
    return None if given == key else error_detail(401, "invalid key credentials")


def locked_account_error(faults: Faults) -> CannedResponse | None:
    """Return the 403 of a locked account, when it is locked."""
    for name, message in LOCKED.items():
        if faults.take(name):
            return error_detail(403, message)
    return None
