"""VIDEO values."""

from __future__ import annotations

from typing import Any


class Video:
    """A VIDEO."""

    def get_stream_source(self) -> Any:
        """Return the path or the bytes of its file."""

    def save_to(self, path: str) -> None:
        """Write it to a file."""

    def get_components(self) -> Any:
        """Return its frames, sound and rate."""


class VideoFromFile(Video):
    """A VIDEO that is a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def get_stream_source(self) -> str:
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        return 0.0, 0.0


class VideoFromComponents(Video):
    """A VIDEO made of frames and sound."""

    def __init__(self, components: Any) -> None:
        self.components = components

    def get_components(self) -> Any:
        return self.components
