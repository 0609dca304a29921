"""Another program that has a file open, as Windows makes it felt."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest


class FileHolder:
    """A virus scanner or a player that holds files for the first `refusals` attempts.

    Args:
        monkeypatch: Undoes it at the end of the test.
        method: The method of Path that is refused.
        refusals: How often.
        suffix: The end of the names of the files that are held.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, method: str, refusals: int, suffix: str = ""
    ) -> None:
        self.refusals = refusals
        self.slept_s: list[float] = []
        real = getattr(Path, method)

        def held(path: Path, *given: object, **options: object) -> object:
            if self.refusals and path.name.endswith(suffix):
                self.refusals -= 1
                raise PermissionError(errno.EACCES, "Access is denied", str(path))
            return real(path, *given, **options)

        monkeypatch.setattr(Path, method, held)
