"""`vidu forget`: entries removed from the ledger, and their clips with `--files`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..command_line import command_line
from ..errors import InvalidSettingError, SaveError
from ..files import remove_file
from ..ledger import Ledger, UnreadableEntry, open_ledger
from ..media.container import CLIP_SUFFIXES
from ..media.still_file import SUFFIXES
from ..models import Entry, SavedFile
from ..steps.verify import is_intact
from ._arguments import read_options
from ._output import print_notice, print_result
from .ledger import line

if TYPE_CHECKING:
    import argparse

    from ._arguments import Commands


@dataclass(frozen=True)
class Options:
    """The options of `forget`, under their own names."""

    home: Path
    names: Sequence[str]
    files: bool


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "forget",
        parents=[shared],
        help="remove rows",
        description="Delete rows: their shots may be paid for again, and what they cost still "
        "counts as spent.",
    )
    parser.add_argument(
        "names",
        metavar="ID",
        nargs="+",
        help="row, request id, or 8 or more digits of the fingerprint",
    )
    parser.add_argument("--files", action="store_true", help="remove the saved clips as well")
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Remove rows; the clips stay unless --files is given."""
    asyncio.run(_run(options))
    return 0


async def _run(options: Options) -> None:
    async with open_ledger(options.home) as ledger:
        entries = await _found(ledger, options)
        await _forget_all(ledger, entries, with_files=options.files)


async def _found(ledger: Ledger, options: Options) -> list[Entry | UnreadableEntry]:
    """Return each row once; all are found, or none is forgotten."""
    found: dict[int, Entry | UnreadableEntry] = {}
    for name in options.names:
        entries = await ledger.get_by_prefix(name)
        if not entries:
            raise InvalidSettingError(
                f"The ledger has no row {name}.",
                f"List them with `{command_line('ledger', '--home', options.home)}`.",
            )
        found.update((entry.id, entry) for entry in entries)
    return list(found.values())


async def _forget_all(
    ledger: Ledger, entries: Sequence[Entry | UnreadableEntry], *, with_files: bool
) -> None:
    for each in entries:
        if isinstance(each, UnreadableEntry):
            await ledger.delete(each)
            print_result(f"forgot {line(each)}")
            continue
        async with ledger.lock_shot(each.fingerprint, _telling_once(each)):
            entry = await ledger.get(each.id)  # as it is now that no run is at work on it
            if entry is None:
                continue
            if with_files and entry.file:
                await _remove(entry, entry.file)
            await ledger.delete(entry)
        print_result(f"forgot {line(entry)}")


async def _remove(entry: Entry, file: SavedFile) -> None:
    # A row may come from another machine's ledger, and its path may name anything here.
    suffixes = (*CLIP_SUFFIXES, *SUFFIXES.values())
    if file.path.suffix.lower() not in suffixes or not await is_intact(entry):
        print_notice(f"left alone: {file.path} is not there, or is not the clip that was saved")
        return
    try:
        await asyncio.to_thread(remove_file, file.path)
    except OSError as error:
        raise SaveError(
            f"{file.path} could not be removed ({error.strerror}), so row {entry.id} stays.",
            "Close what has it open or repair its folder, or forget the row without --files.",
        ) from error


def _telling_once(entry: Entry) -> Callable[[str], None]:
    told: list[str] = []

    def waiting(_: str) -> None:
        if not told:
            told.append(f"waiting for the run that is at work on row {entry.id}; Ctrl-C leaves it")
            print_notice(told[0])

    return waiting
