"""Rows read from the pages of a damaged SQLite file, whatever its tree and its indexes say.

The format is https://sqlite.org/fileformat2.html: a table's leaf page lists its cells, a cell holds
a row id and a record, and what does not fit goes on in a chain of overflow pages.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILE_HEADER = 100
WAL_HEADER = 32
FRAME_HEADER = 24
LEAF = 0x0D
USUAL_PAGE_SIZE = 4096
LARGEST_RECORD = 1 << 24

Value = None | int | float | str | bytes


@dataclass(frozen=True)
class Record:
    """One row of some table: its row id and its columns."""

    row_id: int
    values: tuple[Value, ...]


def read_records(path: Path) -> Iterator[Record]:
    """Yield each record on each leaf page of a file and its write-ahead log, old copies included.

    Raises:
        OSError: The file cannot be read.
    """
    data, log = _read(path), _read(path.with_name(f"{path.name}-wal"))
    stated = int.from_bytes(data[16:18], "big") if len(data) >= FILE_HEADER else 0
    stated = 65536 if stated == 1 else stated
    sizes = {USUAL_PAGE_SIZE} | ({stated} if stated >= 512 and not stated & (stated - 1) else set())
    for size in sizes:
        yield from _Pages(data, log, size).records()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


class _Pages:
    def __init__(self, data: bytes, log: bytes, size: int) -> None:
        self._size = size
        self._main = {
            number: data[start : start + size]
            for number, start in enumerate(range(0, len(data) - size + 1, size), 1)
        }
        frames = range(WAL_HEADER, len(log) - size - FRAME_HEADER + 1, size + FRAME_HEADER)
        self._frames = [
            (
                int.from_bytes(log[at : at + 4], "big"),
                log[at + FRAME_HEADER : at + FRAME_HEADER + size],
            )
            for at in frames
        ]
        self._newest = {**self._main, **dict(self._frames)}

    def records(self) -> Iterator[Record]:
        for number, page in [*self._main.items(), *self._frames]:
            yield from self._leaf(page, FILE_HEADER if number == 1 else 0)

    def _leaf(self, page: bytes, start: int) -> Iterator[Record]:
        if page[start] != LEAF:
            return
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        for pointer in range(start + 8, min(start + 8 + 2 * count, self._size - 1), 2):
            try:
                record = self._cell(page, int.from_bytes(page[pointer : pointer + 2], "big"))
            except (IndexError, KeyError, OverflowError, ValueError, struct.error):
                continue  # this cell is damaged; the others may be whole
            if record:
                yield record

    def _cell(self, page: bytes, at: int) -> Record | None:
        length, at = _varint(page, at)
        row_id, at = _varint(page, at)
        if not 0 < length <= LARGEST_RECORD:
            return None
        return Record(row_id, tuple(_columns(self._payload(page, at, length))))

    def _payload(self, page: bytes, at: int, length: int) -> bytes:
        most = self._size - 35
        if length <= most:
            return page[at : at + length]
        least = (self._size - 12) * 32 // 255 - 23
        here = least + (length - least) % (self._size - 4)
        here = here if here <= most else least
        payload = bytearray(page[at : at + here])
        following = int.from_bytes(page[at + here : at + here + 4], "big")
        while len(payload) < length:
            overflow = self._newest[following]
            payload += overflow[4:]
            following = int.from_bytes(overflow[:4], "big")
        return bytes(payload[:length])


def _columns(payload: bytes) -> Iterator[Value]:
    header, at = _varint(payload, 0)
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    for kind in kinds:
        size = _size(kind)
        content = payload[at : at + size]
        if len(content) != size:
            raise ValueError("the record is cut")
        yield _value(kind, content)
        at += size


def _size(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind]


def _value(kind: int, content: bytes) -> Value:
    if kind == 0:
        return None
    if kind == 7:
        return float(struct.unpack(">d", content)[0])
    if kind in (8, 9):
        return kind - 8
    if kind < 7:
        return int.from_bytes(content, "big", signed=True)
    return content.decode() if kind % 2 else content


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9
