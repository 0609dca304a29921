"""A session that is opened while another process holds the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from vidu.ledger.opening import LEDGER_FILE
from vidu.session import open_session
from vidu.settings import Settings


@pytest.fixture
def held(vidu_home, monkeypatch) -> FileLock:
    """What another process holds while it repairs the ledger."""
    monkeypatch.setenv("FAL_KEY", "11111111-1111-1111-1111-111111111111:2222222222222222")
    vidu_home.mkdir()
    lock = FileLock(vidu_home / f"{LEDGER_FILE}.opening")
    lock.acquire()
    return lock


async def spent(home: Path) -> int:
    async with open_session(home, Settings()) as (_, ledger):
        return int(await ledger.spent_today())


async def test_open_session_waiting_for_the_ledger_does_not_block_the_loop(held, vidu_home):
    opening = asyncio.create_task(spent(vidu_home))
    await asyncio.sleep(0.3)
    assert not opening.done()
    held.release()
    assert await opening == 0


async def test_open_session_cancelled_leaves_no_ledger_open(held, vidu_home):
    opening = asyncio.create_task(spent(vidu_home))
    await asyncio.sleep(0.3)
    opening.cancel()
    await asyncio.sleep(0.1)
    opening.cancel()
    held.release()
    await asyncio.wait({opening})
    assert opening.cancelled()
    assert (vidu_home / LEDGER_FILE).exists(), "it was opened after all"
    names = {Path(file.path).name for file in psutil.Process().open_files()}
    assert LEDGER_FILE not in names
