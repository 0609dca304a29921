"""`vidu forget` in this process."""

from __future__ import annotations

import asyncio

from vidu.cli import forget

from ...support.file_holder import FileHolder
from ...support.shots import run, shot


def test_forget_clip_held_for_a_moment_is_removed(fal, vidu_home, tmp_path, monkeypatch):
    clip = asyncio.run(run(shot(), vidu_home, tmp_path / "clips"))
    holder = FileHolder(monkeypatch, "unlink", 2, clip.path.name)
    forget.run(forget.Options(vidu_home, [clip.request_id], files=True))
    assert holder.refusals == 0
    assert not clip.path.exists()
