"""Receipts read and trusted: the key goes along with their addresses, so these are fal's own."""

from __future__ import annotations

import re
from dataclasses import fields

import httpx

from .entry import Receipt
from .errors import Refused
from .replies import body_of

QUEUE_HOSTS = frozenset({"queue.fal.run", "queue.falrun.com"})
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_receipt(response: httpx.Response) -> Receipt | None:
    """Return the receipt in the answer to a submit, or `None` when it has no request id.

    An address that is missing is empty: `is_fals` tells, and the id alone leads to all three.
    """
    body = body_of(response)
    values = (body.get(field.name) for field in fields(Receipt))
    receipt = Receipt(*(value if isinstance(value, str) else "" for value in values))
    return receipt if REQUEST_ID.fullmatch(receipt.request_id) else None


def trusted(receipt: Receipt) -> Receipt:
    """Return a ledger's receipt; the ledger may have been merged from anyone's.

    Raises:
        Refused: Its addresses are not fal's, and nothing was sent there.
    """
    if not is_fals(receipt):
        raise Refused(
            f"The ledger has addresses for request {receipt.request_id} that are not fal's.",
            "Forget that row: whoever wrote it is after the key, or it is damaged.",
            status_code=421,
        )
    return receipt


def is_fals(receipt: Receipt) -> bool:
    """Tell whether all three addresses are of fal's own queue."""
    urls = (receipt.status_url, receipt.response_url, receipt.cancel_url)
    return all(_is_queue(url) for url in urls)


def _is_queue(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
        return parsed.scheme == "https" and parsed.host in QUEUE_HOSTS and not parsed.userinfo
    except (httpx.InvalidURL, TypeError, ValueError):
        return False
