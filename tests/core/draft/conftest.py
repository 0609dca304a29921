"""A clip that is drawn on this machine, as its frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidu.draft.render import render_clip

from ...support.draft_picture import PICTURE


@pytest.fixture
def draw(tmp_path: Path):
    def write(name: str = "draft", **choices) -> Path:
        path = tmp_path / f"{name}.mp4"
        usual = {"seed": 1, "movement_amplitude": "medium", "size": (320, 180), "frame_count": 12}
        render_clip(path, choices.pop("picture", PICTURE), **{**usual, **choices})
        return path

    return write
