"""A folder with manifests and the images they name."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def written(tmp_path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
