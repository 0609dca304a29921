"""What is shown on a node."""

from __future__ import annotations

from typing import Any

from .io import FolderType


class SavedResult:
    """A file in one of the host's folders."""

    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        self.filename, self.subfolder, self.type = filename, subfolder, type


class PreviewVideo:
    """Clips that play."""

    def __init__(self, results: Any) -> None:
        self.results = results


class SavedImages(PreviewVideo):
    """Stills."""
