"""The check of a row's saved file: whether it is there, and where it was moved."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..destination import Destination
from ..files import remove_file, sha256_of
from ..media.packets import hash_packets
from ..models import Entry, SavedFile
from .context import Context


async def verify(context: Context, entry: Entry) -> Entry:
    """Leave a SAVED row alone when its file is intact; else move it to FINISHED.

    The file itself is not touched: what stands there may be the user's own. Another machine has the
    file below its own output folder; the row goes on to say where the first one has it.
    """
    file = await asyncio.to_thread(_find_intact, entry.file, context.destination)
    if file and not has_moved_here(entry, file):
        # A run killed right after it saved the clip left what it had downloaded.
        await asyncio.to_thread(_discard, context.destination.temporary_path(entry.request_id))
        return replace(entry, file=file)
    assert entry.output is not None
    return await context.ledger.mark_finished(entry, entry.output)


async def is_intact(entry: Entry) -> bool:
    """Return whether the saved file is there, with the size and sha256 it was saved with."""
    return entry.file is not None and await asyncio.to_thread(_is_same, entry.file.path, entry.file)


def has_moved_here(entry: Entry, file: SavedFile) -> bool:
    """Return whether `file` is where the machine that made the clip has it now, and not before."""
    return entry.file != file and entry.host in ("", socket.gethostname())


def find_saved_file(entry: Entry, destination: Destination) -> SavedFile | None:
    """Return the file of a row that was saved once, wherever it is now.

    It is the clip when it is the same file, in its place or moved to somewhere below the folder of
    the destination. It is the clip as well when the file in its place has the same packets:
    somebody wrote a title or a rating into it.

    Args:
        entry: The row.
        destination: Where files may have been moved to; each folder below it is looked through.
    """
    file = entry.file
    if file is None:
        return None
    found = _find_intact(file, destination)
    if found:
        return found
    for path in _namesakes(file, destination.folder):
        if _is_same(path, file):
            return replace(file, path=path, relative_path=destination.relative_path(path))
    return _edited(file)


def _find_intact(file: SavedFile | None, destination: Destination) -> SavedFile | None:
    """Return the file where it was saved, or at the same place below the destination's root."""
    if file is None or _is_same(file.path, file):
        return file
    path = destination.root / file.relative_path
    if file.relative_path and _is_same(path, file):
        return replace(file, path=path)
    return None


def _is_same(path: Path, file: SavedFile) -> bool:
    try:
        return path.stat().st_size == file.size and sha256_of(path) == file.sha256
    except OSError:
        return False


def _namesakes(file: SavedFile, folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        if file.path.name in names:
            yield Path(root, file.path.name)


def _edited(file: SavedFile) -> SavedFile | None:
    content = hash_packets(file.path) if file.content_sha256 else None
    if content is None or content != file.content_sha256:
        return None
    try:
        return replace(file, size=file.path.stat().st_size, sha256=sha256_of(file.path))
    except OSError:
        return None


def _discard(part: Path) -> None:
    with suppress(OSError):
        remove_file(part)
