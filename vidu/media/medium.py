"""The interface of an encoded medium: image, video or audio."""

from __future__ import annotations

from typing import Protocol

from ..fields import MediumShape


class Medium(Protocol):
    """An image, a video or a sound, ready to be uploaded."""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""

    @property
    def media_type(self) -> str:
        """Such as image/png."""

    @property
    def suffix(self) -> str:
        """Such as .png."""

    @property
    def content_sha256(self) -> str:
        """64 hex digits that name what is seen or heard, whatever encoded it."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    @property
    def width(self) -> int:
        """Pixels; 0 for sound."""

    @property
    def height(self) -> int:
        """Pixels; 0 for sound."""

    @property
    def duration_s(self) -> float:
        """Seconds; 0 for a still."""


def shape_of(medium: Medium) -> MediumShape:
    """Return what rules and prices need to know of a medium."""
    return MediumShape(medium.width, medium.height, medium.duration_s, medium.size)
