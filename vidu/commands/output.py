"""Where a command's clips go, and how they are told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..generate import Clip
from ..run import Names


def names_in(folder: Path, stem: str) -> Names:
    """Return names `stem`_00001.mp4 and up in `folder`, whatever the clip's size."""

    def names(width: int, height: int) -> Iterator[Path]:
        return (folder.absolute() / f"{stem}_{number:05}.mp4" for number in range(1, 100_000))

    return names


def brought_to(folder: Path, clip: Clip) -> Clip:
    """Copy a clip that an earlier run kept elsewhere into `folder`."""
    if clip.path.parent == folder.absolute():
        return clip
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder.absolute() / clip.path.name
    if not (copy.exists() and copy.stat().st_size == clip.path.stat().st_size):
        shutil.copy2(clip.path, copy)
    return replace(clip, path=copy)


def as_json(clip: Clip) -> dict[str, Any]:
    """Return the clip as a JSON object."""
    facts = asdict(clip)
    path = facts.pop("path")
    return {"file_path": str(path), **facts, "cost_usd": float(clip.cost_usd)}
