"""`python -m vidu` as on another machine: with a name, a clock and a mount of its own.

Usage: python machine.py NAME CLOCK_S FOLDER MOUNT ARGUMENT... FOLDER is what the machine mounts. On
Linux it has it under /proc/self/fd/MOUNT, where no other process finds it, so that a path of one
machine leads nowhere on another; `{mount}` in an argument stands for it.
"""

from __future__ import annotations

import os
import socket
import sys
import time


def main(name: str, clock_s: str, folder: str, mount: str, *arguments: str) -> int:
    real_time = time.time
    # Before anything of the pack is imported, for its defaults take hold of the clock.
    time.time = lambda: real_time() + float(clock_s)
    socket.gethostname = lambda: name
    if sys.platform == "linux":
        os.dup2(os.open(folder, os.O_RDONLY), int(mount))
        folder = f"/proc/self/fd/{mount}"
    from vidu.cli._main import main as run

    return run([argument.replace("{mount}", folder) for argument in arguments])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
