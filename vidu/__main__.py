"""The same work from a shell: `python -m vidu --help`.

Exit codes: 0 done, 1 a clip failed, 2 bad usage or input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from .commands import batch, generate, ledger, watch
from .errors import InvalidInput, KeyProblem, ViduError
from .settings import home_folder

COMMANDS = (generate, batch, watch, ledger)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except ViduError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, (InvalidInput, KeyProblem)) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vidu", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--home",
        type=Path,
        default=home_folder(),
        help="folder of the ledger, settings and key (default: VIDU_HOME or %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands, shared)
    return parser


if __name__ == "__main__":
    sys.exit(main())
