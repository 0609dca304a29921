"""The journal: a file beside the ledger to which each step of a paid request is appended.

One damage, one restored backup or one deleted file must not make the pack forget what was paid.
The journal repeats what the database holds from the paid POST on, and is read when the two differ.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAIL_BYTES = 1 << 20
"""Where the newest record is looked for: more than the longest one, with its small pictures."""

LIKENESSES = "likenesses"
"""The one name in a record that is not a column: the small pictures of the row, as text."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class History:
    """All that a journal says.

    Args:
        after_id: Rows with a higher id are in the journal from their paid POST on.
        is_whole: Whether every line could be read.
        records: What changed, oldest first: columns of rows, with `fingerprint` and `reserved_at`,
            and perhaps `likenesses`.
    """

    after_id: int
    is_whole: bool
    records: list[Record]

    def covers(self, entry_id: int) -> bool:
        """Return whether a row with this id would be here if it had ever been submitted."""
        return self.is_whole and entry_id > self.after_id


class Journal:
    """An append-only file of JSON lines, each with its checksum.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, after_id: int) -> None:
        """Make the file unless it is there.

        Args:
            after_id: The highest id of a row that the journal will not hold.

        Raises:
            OSError: It cannot be written.
        """
        if not self.path.exists():
            self.append({"after_id": after_id})

    def append(self, *records: Record) -> None:
        """Add a line for each record; they are on disk when this returns.

        Raises:
            OSError: It cannot be written.
        """
        texts = [json.dumps(dict(record)).encode() for record in records]
        # A line break first, so that a line torn by a power cut spoils itself only.
        lines = b"".join(b"\n%08x %s\n" % (zlib.crc32(text), text) for text in texts)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.write(file, lines) != len(lines):
                raise OSError("the disk is full")
            os.fsync(file)
        finally:
            os.close(file)

    def last(self) -> Record | None:
        """Return the newest record that can be read, or None.

        Raises:
            OSError: The file cannot be read.
        """
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            for line in reversed(file.read().split(b"\n")):
                record = _parse(line)
                if record and "fingerprint" in record:
                    return record
        return None

    def read(self) -> History:
        """Return all of it; a missing file is an empty history that covers nothing.

        Raises:
            OSError: The file cannot be read.
        """
        after_id: int | None = None
        is_whole = True
        records = []
        for line in self._lines():
            record = _parse(line)
            if record is None:
                is_whole = False
            elif "after_id" in record:
                after_id = max(after_id or 0, int(record["after_id"]))
            else:
                records.append(record)
        return History(after_id or 0, is_whole and after_id is not None, records)

    def _lines(self) -> Iterator[bytes]:
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in file:
                if stripped := line.strip():
                    yield stripped


def latest(records: list[Record]) -> list[dict[str, Any]]:
    """Return the newest columns of each row that the records tell of."""
    rows: dict[tuple[str, float], dict[str, Any]] = {}
    for record in records:
        key = record["fingerprint"], record["reserved_at"]
        row = rows.setdefault(key, {"revision": -1})
        if record["revision"] >= row["revision"]:
            row.update(record)
    return list(rows.values())


def _parse(line: bytes) -> Record | None:
    checksum, _, text = line.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(text):
            return None
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
