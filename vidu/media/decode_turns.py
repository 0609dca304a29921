"""The turns in which a batch's clips are decoded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .memory import free_memory

MOST_AT_ONCE = 2
"""Clips decoded at a time: the second fills the gaps that the first leaves, a third gains nothing
(benchmarks/README.md)."""


class DecodeTurns:
    """Lets two clips be decoded at a time.

    A clip that begins alone gets all cores, one that joins another half of them.

    Args:
        cores: How many cores there are.
        available: The bytes of memory that are free.
    """

    def __init__(
        self, cores: int | None = None, available: Callable[[], int] = free_memory
    ) -> None:
        self.available = available
        self._cores = cores or os.cpu_count() or 1
        self._changed = threading.Condition()
        self._needs: list[int] = []

    @contextmanager
    def take(self, needed_bytes: int) -> Iterator[int]:
        """Wait for a turn, and yield how many threads may convert frames during it.

        A decode under way has not touched all of its memory yet. So the next one waits for its end
        unless what is free now holds all that both need.

        Args:
            needed_bytes: The memory that this decode needs. One that is alone gets its turn
                whatever it needs: it finds out itself whether it fits.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._may_begin(needed_bytes))
            self._needs.append(needed_bytes)
            threads = max(1, self._cores // len(self._needs))
        try:
            yield threads
        finally:
            with self._changed:
                self._needs.remove(needed_bytes)
                self._changed.notify_all()

    def _may_begin(self, needed_bytes: int) -> bool:
        if not self._needs:
            return True
        needed = sum(self._needs) + needed_bytes
        return len(self._needs) < MOST_AT_ONCE and needed <= self.available()
