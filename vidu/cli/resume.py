"""`python -m vidu resume`: home with every clip that fal may still owe."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..destination import Destination
from ..errors import ViduError
from ..generate import resume
from ..models import Entry
from ..session import open_session
from ..settings import Settings
from ._gather import gather_all
from ._output import as_json, prepare
from ._progress_bars import ProgressBars
from ._signals import run_stoppable

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("resume", parents=[shared], help="collect what is unfinished")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the clips")
    parser.add_argument("--json", action="store_true", help="one JSON object for each clip")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect every clip fal may still owe; return 1 when one could not be had."""
    settings = Settings.load(arguments.home)
    prepare(arguments.out)
    return run_stoppable(lambda _: _collect_all(arguments, settings), arguments.home)


async def _collect_all(arguments: argparse.Namespace, settings: Settings) -> int:
    async with open_session(arguments.home, settings) as (provider, ledger):
        entries = await ledger.unfinished()
        labels = [_label(entry) for entry in entries]
        bars = ProgressBars(labels)

        async def one(index: int) -> bool:
            entry = entries[index]
            destination = Destination(arguments.out, f"resumed_{entry.id}")
            try:
                clip = await resume(
                    entry,
                    provider,
                    ledger,
                    destination,
                    settings=settings,
                    on_progress=bars.callback_for(index),
                )
            except ViduError as error:
                bars.say(f"{labels[index]}: {error}")
                return False
            bars.print(json.dumps(as_json(clip)) if arguments.json else str(clip.path))
            return True

        with bars:
            if not entries:
                bars.say("Nothing is unfinished.")
            shots = [one(index) for index in range(len(entries))]
            return 0 if all(await gather_all(shots, labels, bars.say)) else 1


def _label(entry: Entry) -> str:
    return f"{entry.id} {entry.prompt[:16]}"
