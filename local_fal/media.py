"""The files behind the CDN: what was uploaded and what was generated."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

CDN_HOSTS = ("v3b.fal.media", "v3.fal.media", "fal.media")
FREE_BOX = b"\x00\x00\x00\x10free" + bytes(8)
"""A box that means nothing (ISO/IEC 14496-12, 8.1.2)."""


@dataclass(frozen=True)
class Medium:
    """One file: where it is, what it is, its strong ETag."""

    path: Path
    content_type: str
    etag: str


class Media:
    """Public files under addresses that cannot be guessed.

    Args:
        folder: Where the files are kept; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._media: dict[str, Medium] = {}

    def new_path(self, suffix: str) -> Path:
        """Return a new name in the folder."""
        return self._folder / f"{secrets.token_hex(12)}{suffix}"

    def store(self, data: bytes, name: str, content_type: str) -> str:
        """Write a file and return its address."""
        path = self.new_path(".bin")
        path.write_bytes(data)
        return self.publish(path, name, content_type)

    def publish(self, path: Path, name: str, content_type: str) -> str:
        """Return the address under which a file in the folder can be fetched from now on."""
        url = self.reserve(name)
        self._media[URL(url).path] = _medium(path, content_type)
        return url

    def reserve(self, name: str) -> str:
        """Return an address under which nothing can be fetched yet."""
        safe = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)
        place = f"/files/b/{secrets.token_hex(4)}/{secrets.token_urlsafe(16)[:21]}_{safe}"
        return f"https://{CDN_HOSTS[0]}{place}"

    def fill(self, url: str, data: bytes, content_type: str) -> None:
        """Write the file that is fetched under a reserved address from now on."""
        path = self.new_path(".bin")
        path.write_bytes(data)
        self._media[URL(url).path] = _medium(path, content_type)

    def grow(self, place: str) -> None:
        """Replace the file at this path of the CDN by a longer one that plays the same."""
        old = self._media[place]
        path = self.new_path(old.path.suffix)
        path.write_bytes(old.path.read_bytes() + FREE_BOX)
        self._media[place] = _medium(path, old.content_type)

    def get(self, place: str) -> Medium | None:
        """Return the file at this path of the CDN, on whichever of its hosts."""
        return self._media.get(place)

    def read(self, url: str) -> bytes | None:
        """Return the bytes at an address, as fal's runner would fetch them, or None.

        Only the CDN's own addresses lead anywhere: local_fal opens no connection.
        """
        try:
            address = URL(url)
        except ValueError:
            return None
        medium = self.get(address.path) if address.host in CDN_HOSTS else None
        return medium.path.read_bytes() if medium else None


def _medium(path: Path, content_type: str) -> Medium:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Medium(path, content_type, f'"{digest[:32]}"')
