"""`python -m vidu generate`: images into clips, one for each, all at once."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..builders import image_to_video
from ..destination import Destination
from ..endpoints import AMPLITUDE
from ..errors import InvalidImageError, ViduError
from ..generate import generate
from ..media.image_file import load_image
from ..models import Clip
from ..request import Request
from ..session import open_session
from ..settings import Settings
from ._frames import export_frames
from ._gather import gather_all
from ._output import as_json, copy_into, prepare
from ._progress_bars import ProgressBars
from ._signals import run_stoppable

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("generate", parents=[shared], help="images into clips")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument("--prompt", required=True, help="what should happen, 1 to 1500 characters")
    parser.add_argument("--seed", type=int, default=0, help="0 (default) lets Vidu choose")
    parser.add_argument("--movement-amplitude", choices=AMPLITUDE.values, default="auto")
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
        lambda by_user: _generate_all(requests, settings, arguments, by_user),
        None if arguments.draft else arguments.home,
    )


def _request(image: Path, arguments: argparse.Namespace) -> Request:
    try:
        return image_to_video(
            load_image(image),
            arguments.prompt,
            seed=arguments.seed,
            movement_amplitude=arguments.movement_amplitude,
        )
    except InvalidImageError as error:
        raise InvalidImageError(f"{image}: {error.message}", error.next_step) from error


async def _generate_all(
    requests: Sequence[Request],
    settings: Settings,
    arguments: argparse.Namespace,
    by_user: Callable[[], bool],
) -> int:
    one_at_a_time = asyncio.Lock()  # one clip's frames fill a gigabyte
    async with open_session(arguments.home, settings, draft=arguments.draft) as (provider, ledger):
        labels = [image.name for image in arguments.images]
        bars = ProgressBars(labels)

        async def one(index: int) -> bool:
            image = arguments.images[index]
            try:
                clip = await generate(
                    requests[index],
                    provider,
                    ledger,
                    Destination(arguments.out, image.stem),
                    settings=settings,
                    on_progress=bars.callback_for(index),
                    cancelled_by_user=by_user,
                )
                clip = await asyncio.to_thread(copy_into, arguments.out, clip)
                async with one_at_a_time:
                    await _export_frames(clip, arguments)
            except ViduError as error:
                bars.say(f"{image}: {error}")
                return False
            bars.print(json.dumps(as_json(clip)) if arguments.json else str(clip.path))
            return True

        with bars:
            shots = [one(index) for index in range(len(requests))]
            return 0 if all(await gather_all(shots, labels, bars.say)) else 1


async def _export_frames(clip: Clip, arguments: argparse.Namespace) -> None:
    try:
        await asyncio.to_thread(
            export_frames,
            clip.path,
            frames=arguments.frames,
            contact_sheet=arguments.contact_sheet,
        )
    except ViduError as error:
        raise error.with_charge(clip.charge, clip.request_id) from error
