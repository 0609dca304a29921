"""Where a command's clips go, and how they are told."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ..destination import Destination
from ..errors import InvalidSettingError, SaveError
from ..files import remove_file
from ..models import Clip


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


def copy_to(destination: Destination, clip: Clip) -> Clip:
    """Return the clip at the name there that has it, or at a free one that gets a copy.

    Raises:
        SaveError: The copy could not be written; the clip is where it was.
    """
    destination = destination.for_size(clip.width, clip.height)
    part = destination.temporary_path()
    try:
        path = destination.find_copy(clip.path)
        if path is None:
            part.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(clip.path, part)
            path = destination.claim(part, clip.path.suffix)
        return replace(clip, path=path)
    except OSError as error:
        raise SaveError(
            f"{clip.path} could not be copied to {destination.folder} ({error.strerror})."
        ) from error
    finally:
        with suppress(OSError):
            remove_file(part)


def copy_into(folder: Path, clip: Clip) -> Clip:
    """Copy a clip that an earlier run saved elsewhere into `folder`; nothing is overwritten.

    Raises:
        SaveError: The copy could not be written; the clip is where it was.
    """
    if clip.path.parent == folder.absolute():
        return clip
    return copy_to(Destination(folder, re.sub("_[0-9]{5,}$", "", clip.path.stem)), clip)


def as_json(clip: Clip) -> dict[str, Any]:
    """Return the clip as a JSON object."""
    facts = asdict(clip)
    path = facts.pop("path")
    return {"file_path": str(path), **facts, "cost_usd": float(clip.cost_usd)}
