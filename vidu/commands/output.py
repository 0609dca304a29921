"""Where a command's clips go, and how they are told."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..errors import KeepFailed
from ..generate import Clip
from ..run import Names


def named(folder: Path, name: str) -> Names:
    """Return `name`.mp4 in `folder`, then `name`_00002.mp4 and up, for nothing is overwritten."""

    def names(width: int, height: int) -> Iterator[Path]:
        yield folder.absolute() / f"{name}.mp4"
        yield from (folder.absolute() / f"{name}_{number:05}.mp4" for number in range(2, 100_000))

    return names


def placed(clip: Clip, names: Names) -> Clip:
    """Return the clip at the first of these names that has it, or is free and gets a copy.

    Raises:
        KeepFailed: The copy could not be written; the clip is where it was.
    """
    for path in names(clip.width, clip.height):
        try:
            if not path.exists():
                _copy(clip.path, path)
            if path == clip.path or filecmp.cmp(path, clip.path, shallow=False):
                return replace(clip, path=path)
        except OSError as error:
            raise KeepFailed(
                f"{clip.path} could not be copied to {path} ({error.strerror})."
            ) from error
    return clip


def _copy(clip: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    shutil.copy2(clip, part)
    part.replace(path)


def brought_to(folder: Path, clip: Clip) -> Clip:
    """Copy a clip that an earlier run kept elsewhere into `folder`; nothing is overwritten.

    Raises:
        KeepFailed: The copy could not be written; the clip is where it was.
    """
    if clip.path.parent == folder.absolute():
        return clip
    return placed(clip, named(folder, clip.path.stem))


def as_json(clip: Clip) -> dict[str, Any]:
    """Return the clip as a JSON object."""
    facts = asdict(clip)
    path = facts.pop("path")
    return {"file_path": str(path), **facts, "cost_usd": float(clip.cost_usd)}
