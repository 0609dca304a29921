"""Where a command's clips go, and how they are told."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from uuid import uuid4

from ..errors import Charge, InvalidSettingError, SaveError, ViduError
from ..generate import Clip
from ..media.mux import rename_to_free_name
from ..provider import Provider
from ..steps.context import Names

LONGEST_STEM = 200
"""In bytes. File systems take 255 for a name; a number, `_frames` and the like follow the stem."""


def prepare(folder: Path) -> None:
    """Make the folder for the clips: none is to be paid for that cannot be saved.

    Raises:
        InvalidSettingError: It is no folder, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InvalidSettingError(
            f"Clips cannot be written to {folder} ({error.strerror}).", "Give another --out."
        ) from error


def stem(image: Path) -> str:
    """Return the name of an image's clip, without number and suffix; it can always be written."""
    name = image.stem.encode(errors="ignore")[:LONGEST_STEM].decode(errors="ignore")
    return name or "clip"


def candidate_paths(folder: Path, name: str) -> Names:
    """Return `name`.mp4 in `folder`, then `name`_00002.mp4 and up, for nothing is overwritten."""

    def names(width: int, height: int) -> Iterator[Path]:
        yield folder.absolute() / f"{name}.mp4"
        yield from (folder.absolute() / f"{name}_{number:05}.mp4" for number in count(2))

    return names


def copy_to_free_name(clip: Clip, names: Names) -> Clip:
    """Return the clip at the first of these names that has it, or is free and gets a copy.

    Raises:
        SaveError: The copy could not be written; the clip is where it was.
    """
    paths = names(clip.width, clip.height)
    for path in paths:
        try:
            if not path.exists():
                return replace(clip, path=_copy(clip.path, path, paths))
            if path == clip.path or filecmp.cmp(path, clip.path, shallow=False):
                return replace(clip, path=path)
        except OSError as error:
            raise SaveError(
                f"{clip.path} could not be copied to {path} ({error.strerror})."
            ) from error
    return clip


def _copy(clip: Path, path: Path, others: Iterator[Path]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        shutil.copy2(clip, part)
        return rename_to_free_name(part, chain([path], others))
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def copy_into(folder: Path, clip: Clip) -> Clip:
    """Copy a clip that an earlier run saved elsewhere into `folder`; nothing is overwritten.

    Raises:
        SaveError: The copy could not be written; the clip is where it was.
    """
    if clip.path.parent == folder.absolute():
        return clip
    return copy_to_free_name(clip, candidate_paths(folder, clip.path.stem))


def with_charge(error: ViduError, provider: Provider) -> ViduError:
    """Return the error, which speaks of no money where the provider takes none."""
    if not provider.charges:
        error.charge = Charge.NOT_SPENT
    return error


def as_json(clip: Clip) -> dict[str, Any]:
    """Return the clip as a JSON object."""
    facts = asdict(clip)
    path = facts.pop("path")
    return {"file_path": str(path), **facts, "cost_usd": float(clip.cost_usd)}
