"""Progress of many clips on stderr: one bar with clips, dollars and time left."""

from __future__ import annotations

import sys
from contextlib import suppress
from decimal import Decimal
from typing import TextIO

from tqdm import tqdm

from ..pricing import format_usd
from ._output import print_result

LAYOUT = "{n_fmt} of {total_fmt} clips |{bar}| {postfix}, {remaining} left"


class BatchProgress:
    """How many of the clips there are, what they cost, and how many failed.

    Args:
        total: How many clips are wanted.
        stream: Where the bar is drawn, when it is a terminal, and each line is printed.
    """

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.spent_usd = Decimal(0)
        self._stream = stream
        self._bar = tqdm(
            total=total, file=stream, disable=not stream.isatty(), bar_format=LAYOUT, leave=False
        )
        self._bar.set_postfix_str(self._money())

    def __enter__(self) -> BatchProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self.say(f"{self.done} of {self.total} clips, {self._money()}")

    def count_clip(self, cost_usd: Decimal) -> None:
        """Count a clip that is there."""
        self.done += 1
        self.spent_usd += cost_usd
        self._bar.update()
        self._bar.set_postfix_str(self._money())

    def count_failure(self, line: str) -> None:
        """Count a clip that could not be made, and say why."""
        self.failed += 1
        self.say(line)
        self._bar.set_postfix_str(self._money())

    def say(self, line: str) -> None:
        """Print a line that stays, above the bar."""
        with suppress(OSError):  # the terminal may be closed
            tqdm.write(line, file=self._stream)
            self._stream.flush()

    def print(self, line: str) -> None:
        """Print a line of the command's own output; see `print_result`."""
        with tqdm.external_write_mode(file=self._stream):
            print_result(line)

    def _money(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{format_usd(self.spent_usd)}{failed}"
