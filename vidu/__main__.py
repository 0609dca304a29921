"""The same work from a shell: `python -m vidu --help`.

Exit codes: 0 done, 1 a clip failed, 2 bad usage or input, 130 interrupted (Ctrl-C), 143 stopped
(SIGTERM).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from .cli import batch, forget, generate, ledger, resume, watch
from .cli._signals import TerminatedBySignal
from .errors import CredentialError, InvalidInputError, ViduError
from .settings import default_data_dir

COMMANDS = (generate, batch, watch, ledger, resume, forget)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal cannot spell is no reason to lose the clip's shot.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except ViduError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, (InvalidInputError, CredentialError)) else 1
    except TerminatedBySignal as stopped:
        print(stopped, file=sys.stderr)
        return stopped.exit_code
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read stdout has enough; what is left in its buffer must not fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vidu", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--home",
        type=Path,
        default=default_data_dir(),
        help="folder of the ledger, settings and key (default: VIDU_HOME or %(default)s)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands, shared)
    return parser


if __name__ == "__main__":
    sys.exit(main())
