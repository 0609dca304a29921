"""The result of saving a file with metadata."""

from __future__ import annotations

from typing import NamedTuple


class WriteResult(NamedTuple):
    """How a file was saved.

    Args:
        suffix: The ending that its name should have, such as .mp4.
        has_metadata: Whether all its metadata are inside.
    """

    suffix: str
    has_metadata: bool
