"""The host's log without a line for each poll of fal's queue."""

from __future__ import annotations

import logging

POLL_SUFFIXES = ("/status", "/status?logs=false", "/status?logs=true")


class NoPolls(logging.Filter):
    """Leaves out httpx's line about each status request to fal, and no other.

    The host shows INFO of every library, and a clip is asked about once a second.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged."""
        if record.levelno > logging.INFO or not isinstance(record.args, tuple):
            return True
        words = [str(value) for value in record.args[:2]]
        return not (
            words[:1] == ["GET"] and "/requests/" in words[-1] and words[-1].endswith(POLL_SUFFIXES)
        )


def silence_polls() -> None:
    """Leave the polls out of the log. Calling it again has no effect."""
    logger = logging.getLogger("httpx")
    if not any(isinstance(each, NoPolls) for each in logger.filters):
        logger.addFilter(NoPolls())
