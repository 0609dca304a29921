"""A clip's first frame as a small JPEG: made when it is first looked at, saved, and bounded."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..models import SavedFile

WIDTH = 320
"""Pixels; twice what the library shows, for sharp screens."""

MOST = 4000
"""About 50 MB; the ones not looked at for longest go first."""


class Posters:
    """The folder of posters.

    Args:
        folder: Where they are; it is made when the first one is.
        most: How many are saved.
    """

    def __init__(self, folder: Path, *, most: int = MOST) -> None:
        self._folder = folder
        self._most = most

    def find(self, file: SavedFile) -> Path | None:
        """Return the poster that was made before, if there is one."""
        path = self._path(file)
        try:
            os.utime(path)  # it was looked at now
        except FileNotFoundError:
            return None
        return path

    def make(self, file: SavedFile) -> Path:
        """Return the poster, made if need be.

        Raises:
            CorruptClipError: The clip has no frame.
            OSError: The clip or the folder cannot be used.
        """
        return self.find(file) or self._make(file)

    def _make(self, file: SavedFile) -> Path:
        from PIL import Image

        from .video import decode

        (frame,) = decode(file.path, max_frames=1)
        image = Image.fromarray((frame * 255).round().astype("uint8"))
        image.thumbnail((WIDTH, WIDTH))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(file)
        fresh = path.with_suffix(f".{os.urandom(4).hex()}.new")
        image.save(fresh, "JPEG", quality=80)
        fresh.replace(path)
        self._make_room()
        return path

    def _make_room(self) -> None:
        seen_at = {}
        for path in self._folder.glob("*.jpg"):
            with suppress(FileNotFoundError):  # another one made room meanwhile
                seen_at[path] = path.stat().st_mtime
        for path in sorted(seen_at, key=seen_at.__getitem__)[: -self._most]:
            path.unlink(missing_ok=True)

    def _path(self, file: SavedFile) -> Path:
        return self._folder / f"{file.sha256}.jpg"
