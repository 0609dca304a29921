"""Progress on stderr: a bar for each shot on a terminal, a line for each phase elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from tqdm import tqdm

from ..progress import Phase, Progress, ProgressCallback
from ._output import print_result

LAYOUT = "{desc} |{bar}| {postfix}"


class ProgressBars:
    """One bar for each of several shots that run side by side.

    Args:
        labels: What each shot is called.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._on_terminal = sys.stderr.isatty()
        self._phases: list[Phase | None] = [None] * len(labels)
        self._bars = [
            tqdm(total=1.0, desc=label[:24], position=place, bar_format=LAYOUT, leave=True)
            for place, label in enumerate(labels if self._on_terminal else ())
        ]

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars:
            bar.close()

    def callback_for(self, index: int) -> ProgressCallback:
        """Return the callback for the shot at `index`."""

        def on_progress(progress: Progress) -> None:
            if progress.warning:
                self.say(f"{self._labels[index]}: {progress.text}")
            elif self._on_terminal:
                self._bars[index].n = progress.fraction
                self._bars[index].set_postfix_str(progress.text)
            elif self._phases[index] is not progress.phase:
                self.say(f"{self._labels[index]}: {progress.text}")
            self._phases[index] = progress.phase

        return on_progress

    def say(self, line: str) -> None:
        """Print a line that stays, above the bars."""
        with suppress(OSError):  # the terminal may be closed
            tqdm.write(line, file=sys.stderr)

    def print(self, line: str) -> None:
        """Print a line of the command's own output; see `print_result`."""
        with tqdm.external_write_mode(file=sys.stderr):
            print_result(line)
