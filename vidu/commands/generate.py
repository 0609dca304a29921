"""`python -m vidu generate`: images into clips, one for each, all at once."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..desk import open_desk
from ..errors import InvalidImage, ViduError
from ..generate import Clip, generate
from ..request import MOVEMENT_AMPLITUDES, Request, image_to_video
from ..run import numbered_names
from ..settings import Settings
from ..still import read
from .bars import Bars
from .output import as_json, brought_to, prepare, settled, stem
from .pictures import write_pictures
from .stop import run_stoppable
from .together import side_by_side

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("generate", parents=[shared], help="images into clips")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument("--prompt", required=True, help="what should happen, 1 to 1500 characters")
    parser.add_argument("--seed", type=int, default=0, help="0 (default) lets Vidu choose")
    parser.add_argument("--movement-amplitude", choices=MOVEMENT_AMPLITUDES, default="auto")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the clips")
    parser.add_argument("--draft", action="store_true", help="free, local, no key, no network")
    parser.add_argument("--frames", choices=("png", "jpg"), help="write each frame as a picture")
    parser.add_argument("--contact-sheet", action="store_true", help="write one overview picture")
    parser.add_argument("--json", action="store_true", help="one JSON object for each clip")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the clips; return 0, or 1 when one failed."""
    settings = Settings.load(arguments.home)
    requests = [_request(image, arguments) for image in arguments.images]
    prepare(arguments.out)
    return run_stoppable(
        lambda by_artist: _generate_all(requests, settings, arguments, by_artist),
        None if arguments.draft else arguments.home,
    )


def _request(image: Path, arguments: argparse.Namespace) -> Request:
    try:
        return image_to_video(
            read(image),
            arguments.prompt,
            seed=arguments.seed,
            movement_amplitude=arguments.movement_amplitude,
        )
    except InvalidImage as error:
        raise InvalidImage(f"{image}: {error.happened}", error.next_step) from error


async def _generate_all(
    requests: Sequence[Request],
    settings: Settings,
    arguments: argparse.Namespace,
    by_artist: Callable[[], bool],
) -> int:
    one_at_a_time = asyncio.Lock()  # one clip's frames fill a gigabyte
    async with open_desk(arguments.home, settings, draft=arguments.draft) as (platform, ledger):
        labels = [image.name for image in arguments.images]
        bars = Bars(labels)

        async def one(index: int) -> bool:
            image = arguments.images[index]
            try:
                clip = await generate(
                    requests[index],
                    platform,
                    ledger,
                    numbered_names(arguments.out, stem(image)),
                    settings=settings,
                    tell=bars.teller(index),
                    cancelled_by_artist=by_artist,
                )
                clip = await asyncio.to_thread(brought_to, arguments.out, clip)
                async with one_at_a_time:
                    await _write_pictures(clip, arguments)
            except ViduError as error:
                bars.say(f"{image}: {settled(error, platform)}")
                return False
            bars.print(json.dumps(as_json(clip)) if arguments.json else str(clip.path))
            return True

        with bars:
            shots = [one(index) for index in range(len(requests))]
            return 0 if all(await side_by_side(shots, labels, bars.say)) else 1


async def _write_pictures(clip: Clip, arguments: argparse.Namespace) -> None:
    await asyncio.to_thread(
        write_pictures,
        clip.path,
        frames=arguments.frames,
        contact_sheet=arguments.contact_sheet,
    )
