"""Arguments that several commands share, and typed options instead of argparse's namespace."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..endpoint import Intention

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

T = TypeVar("T")


def read_options(kind: type[T], namespace: argparse.Namespace) -> T:
    """Return the command's options as its own frozen dataclass; each field is an argument."""
    return kind(**{field.name: getattr(namespace, field.name) for field in fields(kind)})  # type: ignore[arg-type]


def add_out(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Add `--out`, the folder for the clips."""
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path(), required=required, help="for the clips"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def add_draft(parser: argparse.ArgumentParser) -> None:
    """Add `--draft`."""
    parser.add_argument("--draft", action="store_true", help="free, local, no key, no network")


def add_shot_values(parser: argparse.ArgumentParser) -> None:
    """Add what a shot is made with, besides its prompt and its files."""
    parser.add_argument("--model", metavar="NAME", default="", help="such as q3; see `models`")
    parser.add_argument(
        "--task",
        type=Intention,
        choices=tuple(Intention),
        metavar="TASK",
        help=f"{', '.join(task.value for task in Intention)} (default: told by the files)",
    )
    parser.add_argument(
        "--set",
        dest="options",
        metavar="NAME=VALUE",
        type=parse_assignment,
        action="append",
        default=[],
        help="an option of the model, such as duration=8; may be repeated",
    )
    parser.add_argument("--seed", type=int, default=0, help="0 (default) lets Vidu choose")


def parse_assignment(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value.strip()


def parse_count(text: str) -> int:
    """Read a whole number from 1 to 9999."""
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 9999")
    return int(text)


def parse_usd(text: str) -> Decimal:
    """Read an amount of US dollars."""
    try:
        usd = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or usd < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount in dollars")
    return usd


def parse_seconds(text: str) -> float:
    """Read a number of seconds above 0 and below an hour."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 3600 seconds")
    return seconds
