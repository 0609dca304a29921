"""The command `python -m local_fal`: run it, or run a command against it."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time

from . import FAULTS, LocalFal, running

IN_THE_WAY = ("HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def main() -> int:
    """Run the command line and return its exit code."""
    arguments = _parser().parse_args()
    if arguments.list_faults:
        print(_table())
        return 0
    width, height, frames = arguments.clip or (0, 0, None)
    try:
        with running(
            port=arguments.port,
            generation_seconds=arguments.generation_seconds,
            concurrency=arguments.concurrency,
            faults=arguments.faults,
            clip_size=(width, height) if arguments.clip else None,
            clip_frames=frames,
            scale=arguments.scale,
        ) as fal:
            return _execute(fal, arguments.exec) if arguments.exec else _serve(fal)
    except (OSError, ValueError) as problem:
        print(f"local_fal: {problem}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="local_fal",
        description="A faithful local fal: an unmodified fal-client reaches it with HTTPS_PROXY,"
        " SSL_CERT_FILE and FAL_KEY alone. Without --exec they are printed as lines for a shell.",
        epilog=f"faults:\n{_table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--generation-seconds", type=float, default=1.0, metavar="S")
    parser.add_argument("--concurrency", type=int, default=2, metavar="N")
    parser.add_argument("--faults", default="", metavar="NAME[:TIMES],...")
    parser.add_argument(
        "--clip", type=_clip, metavar="WxHxN", help="size and frames; default: as asked"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="F", help="factor for the sides of clips"
    )
    parser.add_argument("--list-faults", action="store_true")
    parser.add_argument("--exec", nargs=argparse.REMAINDER, metavar="COMMAND")
    return parser


def _clip(text: str) -> tuple[int, int, int]:
    width, height, frames = (int(part) for part in text.lower().split("x"))
    return width, height, frames


def _table() -> str:
    return "\n".join(f"  {name:26} {what}" for name, what in FAULTS.items())


def _serve(fal: LocalFal) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name, value in fal.environment.items():
        print(_assignment(name, value, windows=os.name == "nt"), flush=True)
    print(f"# the ledger: {fal.url}/__ledger; Ctrl-C ends it", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


def _assignment(name: str, value: str, *, windows: bool) -> str:
    """Return the line that sets a variable in a shell, or at the prompt of Windows."""
    return f"set {name}={value}" if windows else f"export {name}={shlex.quote(value)}"


def _execute(fal: LocalFal, command: list[str]) -> int:
    kept = {k: v for k, v in os.environ.items() if k.upper() not in IN_THE_WAY}
    with subprocess.Popen(command, env=kept | fal.environment) as process:
        # As system(3) does: Ctrl-C reaches the command, and it decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
