"""The search for the same picture, read by another decoder, before anything is paid for it.

The exact fingerprint is the first key. Rows that agree in everything but the pixels share a second
one, and the small pictures kept with them tell whether the pixels do, to within what decoders do.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Sequence

from ..models import Entry
from ..request import Request
from .database import Database, Readable
from .queries import ACTIVE, entry_of

LENGTH = struct.Struct("<I")


def find_alike(db: Readable, request: Request) -> Entry | None:
    """Return the active row of the same request with the same pictures, if there is one."""
    from ..media.likeness import is_same_picture  # brings NumPy

    likenesses = request.likenesses
    if not likenesses:
        return None
    rows = db.rows(
        "SELECT entries.id, packed FROM entries JOIN likenesses ON entry_id = entries.id "
        f"WHERE likeness_key = ? AND {ACTIVE} ORDER BY entries.id DESC",
        request.likeness_key,
    )
    for row in rows:
        known = unpack(row["packed"])
        if len(known) == len(likenesses) and all(map(is_same_picture, known, likenesses)):
            return entry_of(db, db.rows("SELECT * FROM entries WHERE id = ?", row["id"])[0])
    return None


def keep(db: Database, entry_id: int, likenesses: Sequence[bytes]) -> None:
    """Keep the small pictures of a new row, inside a transaction."""
    if likenesses:
        db.execute("INSERT INTO likenesses VALUES (?, ?)", entry_id, pack(likenesses))


def pack(likenesses: Sequence[bytes]) -> bytes:
    """Return small pictures as one value; not compressed, for many may have to be compared."""
    return b"".join(LENGTH.pack(len(each)) + each for each in likenesses)


def unpack(packed: bytes) -> list[bytes]:
    """Return the small pictures of a row; none when they are damaged."""
    found = []
    while packed:
        if len(packed) < LENGTH.size:
            return []
        end = LENGTH.size + LENGTH.unpack_from(packed)[0]
        if end > len(packed):
            return []
        found.append(packed[LENGTH.size : end])
        packed = packed[end:]
    return found


def to_text(packed: bytes) -> str:
    """Return packed pictures as text, for the journal."""
    return binascii.b2a_base64(packed, newline=False).decode()


def from_text(text: str) -> bytes:
    """Return the packed pictures of a text of `to_text`."""
    return binascii.a2b_base64(text)
