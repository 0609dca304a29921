"""The command line: the parser of all commands, and exit codes for what ends them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from ..command_line import command_line
from ..errors import CredentialError, InvalidInputError, ViduError
from ..settings import default_data_dir
from . import batch, forget, generate, ledger, models, resume, spend, watch
from ._output import OutputClosedError, flush_output, print_notice
from ._signals import TerminatedBySignal

COMMANDS = (generate, batch, watch, models, ledger, spend, resume, forget)

DESCRIPTION = """Vidu clips through fal, from a shell.

Exit codes: 0 done; 1 a clip failed; 2 bad usage or input; 130 interrupted (Ctrl-C); 143 stopped
(SIGTERM); 129 the terminal was closed (SIGHUP).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal cannot spell is not a reason to lose the clip's shot.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(argv)
    try:
        options.home = options.home or default_data_dir()
        code: int = options.run(options)
        flush_output()
    except ViduError as error:
        print_notice(f"error: {error}")
        return 2 if isinstance(error, (InvalidInputError, CredentialError)) else 1
    except TerminatedBySignal as stopped:
        print_notice(str(stopped))
        return stopped.exit_code
    except KeyboardInterrupt:
        print_notice("interrupted.")
        return 130
    except (OutputClosedError, BrokenPipeError):
        _discard_output()
        return 1
    return code


def _discard_output() -> None:
    """Lead what is left in stdout's buffer nowhere, so that it does not fail once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vidu",
        description=DESCRIPTION,
        epilog=f"Here it runs as: {command_line()} COMMAND",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--home",
        metavar="DIR",
        type=Path,
        help="of the ledger, settings and key (default: VIDU_HOME, else your user data folder)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_to(commands, shared)
    return parser
