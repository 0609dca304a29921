"""Thumbnails: stills and first frames as small JPEGs, made when they are first looked at."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CorruptClipError
from ..files import remove_file, replace_file
from ..models import SavedFile
from .container import opened_video
from .rotation import orientation

if TYPE_CHECKING:
    from PIL import Image

WIDTH = 320
"""Pixels; twice what the library shows, for sharp screens."""

MOST = 4000
"""About 50 MB; the ones not looked at for longest go first."""


SHA256 = re.compile("[0-9a-f]{64}")


class Thumbnails:
    """The folder of thumbnails.

    Args:
        folder: Where they are; it is made when the first one is.
        most: How many are saved.
    """

    def __init__(self, folder: Path, *, most: int = MOST) -> None:
        self._folder = folder
        self._most = most

    def find(self, file: SavedFile) -> Path | None:
        """Return the thumbnail that was made before, if there is one."""
        path = self._path(file)
        try:
            os.utime(path)  # it was looked at now
        except FileNotFoundError:
            return None
        return path

    def make(self, file: SavedFile) -> Path:
        """Return the thumbnail, made if need be.

        Raises:
            CorruptClipError: The clip has no frame, or its row is damaged.
            OSError: The clip or the folder cannot be used.
        """
        return self.find(file) or self._make(file)

    def _make(self, file: SavedFile) -> Path:
        path = self._path(file)
        image = _still(file.path) if file.fps == 0 else _first_frame(file.path)
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.urandom(4).hex()}.new")
        try:
            image.save(fresh, "JPEG", quality=80)
            replace_file(fresh, path)
        except PermissionError:
            # On Windows nobody can replace it while another thread, which made it too, serves it.
            if not path.exists():
                raise
        finally:
            with suppress(OSError):
                remove_file(fresh)
        self._make_room()
        return path

    def _make_room(self) -> None:
        seen_at = {}
        for path in self._folder.glob("*.jpg"):
            with suppress(FileNotFoundError):  # another one made room meanwhile
                seen_at[path] = path.stat().st_mtime
        for path in sorted(seen_at, key=seen_at.__getitem__)[: -self._most]:
            with suppress(OSError):  # served just now; the next thumbnail removes it
                remove_file(path)

    def _path(self, file: SavedFile) -> Path:
        if not SHA256.fullmatch(file.sha256):  # rows are not trusted: it becomes a file's name
            raise CorruptClipError("The entry of this clip is damaged: its sha256 is none.")
        return self._folder / f"{file.sha256}.jpg"


def _first_frame(path: Path) -> Image.Image:
    """Return the first frame at a thumbnail's size, scaled by libav: 8K takes one frame of 8K."""
    from PIL import Image

    with opened_video(path) as (container, stream):
        stream.codec_context.thread_count = 1  # each thread more would hold a frame more
        frame = next(container.decode(stream), None)
        if frame is None:
            raise CorruptClipError("No frame of the clip decodes.")
        scale = min(1.0, WIDTH / max(frame.width, frame.height))
        width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
        small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        rotation, mirrored = orientation(frame)
    image = Image.fromarray(small)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.rotate(-rotation, expand=True)


def _still(path: Path) -> Image.Image:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.draft("RGB", (WIDTH, WIDTH))  # a JPEG is decoded at a fraction of its size
            small = image.convert("RGB")
    except (ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise CorruptClipError(f"The image does not decode ({error}).") from error
    small.thumbnail((WIDTH, WIDTH))
    return small
