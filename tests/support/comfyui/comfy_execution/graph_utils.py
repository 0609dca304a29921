"""A value that keeps what is connected to it from running."""

from __future__ import annotations


class ExecutionBlocker:
    """It says why."""

    def __init__(self, message: str | None) -> None:
        self.message = message
