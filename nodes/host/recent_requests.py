"""The shots that each graph asked for in its last run, for the cost of the next one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

REMEMBERED = 500


class RecentRequests:
    """Fingerprints of a node's shots by the signature of the graph before it."""

    def __init__(self) -> None:
        self._shots: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def remember(self, signature: str, fingerprints: Sequence[str]) -> None:
        """Note what a node asked for; the oldest is forgotten for it."""
        self._shots[signature] = tuple(fingerprints)
        self._shots.move_to_end(signature)
        while len(self._shots) > REMEMBERED:
            self._shots.popitem(last=False)

    def snapshot(self) -> Mapping[str, tuple[str, ...]]:
        """Return what is known, for a thread to read."""
        return MappingProxyType(dict(self._shots))
