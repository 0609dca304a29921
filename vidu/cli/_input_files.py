"""The input files of a command line: patterns expanded, missing files refused."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from ..errors import InvalidInputError

WILDCARDS = frozenset("*?[")


def expand_files(names: Sequence[str]) -> list[Path]:
    """Return the files; a Windows shell hands on `*.png` as it was typed.

    Raises:
        InvalidInputError: A file is missing, is a folder, or nothing matches a pattern.
    """
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if path.exists() or not WILDCARDS & set(name):
            files.append(require_file(path))
            continue
        matches = sorted(glob.glob(name))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not matches:
            raise InvalidInputError(f"No file matches {name}.", "Check the pattern and the folder.")
        files += [require_file(Path(match)) for match in matches]
    return files


def require_file(path: Path) -> Path:
    """Return the path of a file.

    Raises:
        InvalidInputError: There is none, or it is a folder.
    """
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder.", f"Name the files in it: {path / '*.png'}.")
    if not path.exists():
        raise InvalidInputError(f"There is no file {path}.", "Check the name and the folder.")
    return path
