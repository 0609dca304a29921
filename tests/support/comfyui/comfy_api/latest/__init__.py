"""The API for nodes, of today."""

from __future__ import annotations

from . import io, ui
from . import video as Input
from . import video as InputImpl

__all__ = ["ComfyAPI", "ComfyExtension", "Input", "InputImpl", "io", "ui"]


class ComfyExtension:
    """What an extension is derived from."""


class Execution:
    """Progress of the running node."""

    async def set_progress(self, value: float, max_value: float) -> None:
        """Show nothing."""


class ComfyAPI:
    """The host's services for nodes."""

    execution = Execution()
