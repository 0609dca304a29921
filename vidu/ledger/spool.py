"""The spool: responses of fal that a ledger on a server has not taken yet, one file each."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Spool:
    """A folder of changes that are on their way into the ledger.

    Args:
        folder: Where the files are; made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def waiting(self) -> list[tuple[Path, dict[str, Any]]]:
        """Return the changes that are there, oldest first, each with its file."""
        found = []
        for path in sorted(self._folder.glob("*.json"), key=_modified):
            with contextlib.suppress(OSError, ValueError):  # taken by another process, or torn
                change = json.loads(path.read_bytes())
                if isinstance(change, dict):
                    found.append((path, change))
        return found

    def write(self, change: Mapping[str, Any]) -> Path:
        """Put a change on disk and return its file, which whoever brings it in removes.

        Raises:
            OSError: It cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{secrets.token_hex(8)}.json"
        fresh = path.with_suffix(".new")
        opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(json.dumps(dict(change)).encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        return path


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
