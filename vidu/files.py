"""Files replaced, removed and hashed; a file that is held for a moment is tried again.

On Windows a virus scanner, an indexer or a player may hold a file for a moment, and a rename or an
unlink is refused meanwhile (PermissionError, "access is denied" or "in use"). A folder that really
forbids it refuses again after the last wait.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

ON_WINDOWS = os.name == "nt"

DELAYS_S = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The waits between the attempts, in seconds: 1.6 s in all."""

T = TypeVar("T")


def replace_file(
    source: Path, target: Path, *, sleep: Callable[[float], None] = time.sleep
) -> Path:
    """Rename `source` to `target`, whatever is there.

    Args:
        source: The file.
        target: Its new name, on the same file system.
        sleep: Waits this many seconds.

    Returns:
        `target`.

    Raises:
        OSError: It could not be renamed.
    """
    return _retry(lambda: source.replace(target), sleep)


def rename_to_new_name(
    source: Path, target: Path, *, sleep: Callable[[float], None] = time.sleep
) -> Path:
    """Rename `source` to `target`, unless there is a file of that name.

    Args:
        source: The file.
        target: Its new name, on the same file system.
        sleep: Waits this many seconds.

    Returns:
        `target`.

    Raises:
        FileExistsError: There is a file of that name; `source` stays where it is.
        OSError: It could not be renamed.
    """
    if ON_WINDOWS:  # rename never replaces there, and a new empty file would be scanned first
        return _retry(lambda: source.rename(target), sleep)
    target.open("xb").close()
    try:
        return replace_file(source, target, sleep=sleep)
    except BaseException:
        remove_file(target, sleep=sleep)  # nobody is to find an empty clip
        raise


def remove_file(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Remove a file, if it is there.

    Args:
        path: The file.
        sleep: Waits this many seconds.

    Raises:
        OSError: It could not be removed.
    """
    _retry(lambda: path.unlink(missing_ok=True), sleep)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex digits.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _retry(act: Callable[[], T], sleep: Callable[[float], None]) -> T:
    for delay_s in DELAYS_S:
        try:
            return act()
        except PermissionError:
            sleep(delay_s)
    return act()
