"""Addresses of private and public networks, and the words in which one is refused."""

from __future__ import annotations

import pytest

from vidu.errors import Charge, UnsafeUrlError
from vidu.fal.safe_url import check_url


async def refused(url: str) -> str:
    with pytest.raises(UnsafeUrlError) as error:
        await check_url(url)
    assert error.value.charge is Charge.SPENT
    return str(error.value)
