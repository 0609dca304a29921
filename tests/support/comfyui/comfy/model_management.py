"""The host's interrupt: a flag that nothing here sets."""

from __future__ import annotations


class InterruptProcessingException(BaseException):
    """A node was interrupted."""


def processing_interrupted() -> bool:
    return False
