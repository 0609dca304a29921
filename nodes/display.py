"""What a node shows while it runs: one line for each of its shots, and one bar for all."""

from __future__ import annotations

import logging

from ..vidu.progress import Progress, Tell

log = logging.getLogger(__name__)


class Display:
    """The newest moment of each of several shots.

    Args:
        count: How many shots the node makes.
    """

    def __init__(self, count: int) -> None:
        self._moments: list[Progress | None] = [None] * count
        self._changed = False

    def teller(self, index: int) -> Tell:
        """Return what tells of the shot at `index`."""

        def tell(moment: Progress) -> None:
            self._moments[index] = moment
            self._changed = True
            if moment.warning:
                log.warning("Vidu: %s", moment.text)

        return tell

    def changed(self) -> bool:
        """Tell, once, whether something is new since the last time this was asked."""
        changed, self._changed = self._changed, False
        return changed

    def now(self) -> tuple[float, str]:
        """Return how much of the whole is done, 0..1, and the lines to show."""
        told = [(number, moment) for number, moment in enumerate(self._moments, 1) if moment]
        fraction = sum(moment.fraction for _, moment in told) / len(self._moments)
        if len(self._moments) == 1:
            return fraction, told[0][1].text if told else ""
        return fraction, "\n".join(f"{number}: {moment.text}" for number, moment in told)
