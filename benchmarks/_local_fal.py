"""A child behind a local_fal of its own, which runs in a third process."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from typing import Any

import numpy as np
from numpy.typing import NDArray


def behind(*command: object, seconds: float, concurrency: int, clip: str) -> list[str]:
    """Return the command line that runs a command with a local_fal before it.

    Args:
        command: The command.
        seconds: How long a generation takes.
        concurrency: How many run at once.
        clip: The clips' width, height and frames, as "640x352x96".
    """
    options = ("--generation-seconds", seconds, "--concurrency", concurrency, "--clip", clip)
    return [str(part) for part in (sys.executable, "-m", "local_fal", *options, "--exec", *command)]


def ledger() -> dict[str, Any]:
    """In the child: return local_fal's ledger; `LocalFal.ledger` says what is in it."""
    with urllib.request.urlopen(f"{os.environ['HTTPS_PROXY']}/__ledger") as response:
        shown: dict[str, Any] = json.load(response)
    return shown


def hold_until_made(size: int) -> None:
    """In the child: touch this many bytes, and free them for frames once fal has made the clips.

    `_measure.race` says what for; within a generation a virtual machine's host takes them back.
    """
    held = [np.ones(size, np.uint8)]
    threading.Thread(target=_free_once_made, args=[held]).start()


def _free_once_made(held: list[NDArray[np.uint8]]) -> None:
    while not (jobs := ledger()["jobs"]) or not all(job["ended_at"] for job in jobs):
        time.sleep(0.1)
    held.clear()


def set_faults(faults: str) -> None:
    """In the child: let things go wrong, as `LocalFal.set_faults`."""
    body = json.dumps({"faults": faults}).encode()
    urllib.request.urlopen(f"{os.environ['HTTPS_PROXY']}/__faults", body).close()
