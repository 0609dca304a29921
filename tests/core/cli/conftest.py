"""An image for the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...support.cli_inputs import picture


@pytest.fixture
def image(tmp_path) -> Path:
    return picture(tmp_path / "beach.png", (200, 120, 40))
