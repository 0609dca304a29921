"""Runs one shot in a process of its own and, when told so, kills that process at a named moment.

Usage: crash_child.py HOME SEED [MOMENT]. The moments are `before:X` and `after:X` for each step X
of the ledger and each call of the platform, which are handed to `generate` like any other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from vidu import Fal, Ledger, Settings, find_key, generate, image_to_video

LEDGER_STEPS = ("intend", "posting", "submitted", "finished", "kept")
PLATFORM_CALLS = ("upload", "submit", "status", "result", "fetch")
SETTINGS = Settings(
    queue_limit_s=Decimal(2), generation_limit_s=Decimal(2), stall_limit_s=Decimal(2)
)


def die(moment: str, wanted: str) -> None:
    if moment == wanted:
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


class MortalLedger(Ledger):
    """A ledger whose process dies beside one of its steps."""

    moment = ""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in LEDGER_STEPS:
            return found

        def step(*args: Any, **options: Any) -> Any:
            die(f"before:{name}", self.moment)
            done = found(*args, **options)
            die(f"after:{name}", self.moment)
            return done

        return step


class MortalFal(Fal):
    """A platform whose process dies beside one of its calls."""

    moment = ""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in PLATFORM_CALLS:
            return found

        async def call(*args: Any, **options: Any) -> Any:
            die(f"before:{name}", self.moment)
            done = await found(*args, **options)
            die(f"after:{name}", self.moment)
            return done

        return call


async def main(home: Path, seed: int, moment: str) -> None:
    MortalLedger.moment = MortalFal.moment = moment
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    request = image_to_video(pixels, "waves roll in", seed=seed)

    def names(width: int, height: int) -> Iterator[Path]:
        return (home / f"clip_{index:05}.mp4" for index in range(1, 100))

    async with MortalFal(find_key(home).secret, SETTINGS) as fal:
        with MortalLedger.open(home) as ledger:
            clip = await generate(request, fal, ledger, names, settings=SETTINGS)
    print(clip.path)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else ""))
