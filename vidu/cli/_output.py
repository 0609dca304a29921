"""The output of a command: copies of clips, results on stdout, notices on stderr."""

from __future__ import annotations

import errno
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..destination import Destination
from ..errors import InvalidSettingError, SaveError
from ..files import remove_file
from ..models import Clip


class OutputClosedError(Exception):
    """The reader of stdout left, as `head` does."""


def print_result(line: str) -> None:
    """Print a line of the command's own output, at once.

    Raises:
        OutputClosedError: Nobody reads it any more.
    """
    with _reader_may_leave():
        print(line, flush=True)


def flush_output() -> None:
    """Write what is left of the command's output.

    Raises:
        OutputClosedError: Nobody reads it any more.
    """
    with _reader_may_leave():
        sys.stdout.flush()


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EINVAL):  # EINVAL is what Windows calls it
            raise OutputClosedError from error
        raise


def print_notice(line: str) -> None:
    """Print a line on stderr; a terminal that was closed is not a reason to end."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def check_output_folder(folder: Path) -> None:
    """Write a file there for real, so that no clip is paid for that cannot be saved.

    Raises:
        InvalidSettingError: No file can be written there.
    """
    try:
        Destination(folder, "clip").check()
    except InvalidSettingError as error:
        raise InvalidSettingError(error.message, "Give another --out.") from error


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
