"""The ledger's suite runs on both databases, SQLite and a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger


@pytest.fixture(params=["sqlite", "postgres"])
def home(request, tmp_path) -> Path:
    """The folder of a ledger that does not exist yet, in a file or on a server."""
    if request.param == "postgres":
        request.getfixturevalue("shared_ledger")
    return tmp_path / "home"


@pytest.fixture
def ledger(home):
    with Ledger.open(home) as ledger:
        yield ledger


@pytest.fixture
def machines(shared_ledger, tmp_path) -> list[Path]:
    """The data folders of two machines that share the server."""
    return [tmp_path / "one", tmp_path / "two"]
