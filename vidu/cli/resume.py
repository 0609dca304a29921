"""`vidu resume`: the download of every clip that fal may still have."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..destination import Destination
from ..errors import ViduError
from ..generate import resume
from ..models import Entry
from ..session import open_session
from ..settings import Settings
from ._arguments import add_json, add_out, read_options
from ._gather import gather_all
from ._output import as_json, check_output_folder
from ._progress_bars import ProgressBars
from ._signals import run_stoppable

if TYPE_CHECKING:
    import argparse

    from ._arguments import Commands


@dataclass(frozen=True)
class Options:
    """The arguments of `resume`, under their own names."""

    home: Path
    out: Path
    json: bool


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("resume", parents=[shared], help="download what is unfinished")
    add_out(parser)
    add_json(parser)
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Download every clip fal may still owe; return 1 when one could not be had."""
    settings = Settings.load(options.home)
    check_output_folder(options.out)
    return run_stoppable(lambda _: _resume_all(options, settings), options.home)


async def _resume_all(options: Options, settings: Settings) -> int:
    async with open_session(options.home, settings) as (provider, ledger):
        entries = await ledger.unfinished()
        labels = [_label(entry) for entry in entries]
        bars = ProgressBars(labels)

        async def resume_one(index: int) -> bool:
            entry = entries[index]
            try:
                clip = await resume(
                    entry,
                    provider,
                    ledger,
                    Destination(options.out, f"resumed_{entry.id}"),
                    settings=settings,
                    on_progress=bars.callback_for(index),
                )
            except ViduError as error:
                bars.say(f"{labels[index]}: {error}")
                return False
            bars.print(json.dumps(as_json(clip)) if options.json else str(clip.path))
            return True

        with bars:
            if not entries:
                bars.say("Nothing is unfinished.")
            shots = [resume_one(index) for index in range(len(entries))]
            return 0 if all(await gather_all(shots, labels, bars.say)) else 1


def _label(entry: Entry) -> str:
    return f"{entry.id} {entry.prompt[:16]}"
