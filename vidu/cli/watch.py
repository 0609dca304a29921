"""`python -m vidu watch`: each new image of a folder, with its prompt beside it, into a clip."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..builders import image_to_video
from ..destination import Destination
from ..endpoints import AMPLITUDE
from ..errors import InvalidPromptError, InvalidSettingError, ViduError
from ..generate import generate
from ..ledger import Ledger
from ..media.image_file import load_image
from ..models import State
from ..progress import Phase, Progress, ProgressCallback
from ..provider import Provider
from ..request import Request
from ..session import open_session
from ..settings import Settings
from ._gather import unexpected
from ._output import as_json, copy_to, prepare
from ._signals import run_stoppable

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

AT_ONCE = 8
IMAGES = {".png", ".jpg", ".jpeg", ".webp"}

Version = tuple[int, int, int, int]
"""Size and time of change of an image and of its sidecar."""


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "watch",
        parents=[shared],
        help="each new image of a folder into a clip",
        description="Make a clip of each image in a folder that has its prompt in a text file of "
        "the same name (fox.png and fox.txt), each once, also over restarts. What failed is tried "
        "again when one of the two files changes, or at the next start. Ctrl-C ends it.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument(
        "--prompt-from", choices=("sidecar",), default="sidecar", help="fox.txt for fox.png"
    )
    parser.add_argument("--seed", type=int, default=0, help="0 (default) lets Vidu choose")
    parser.add_argument("--movement-amplitude", choices=AMPLITUDE.values, default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips")
    parser.add_argument(
        "--interval", metavar="S", type=_seconds, default=1.0, help="seconds between looks (1)"
    )
    parser.add_argument("--once", action="store_true", help="end when what is there is done")
    parser.add_argument("--json", action="store_true", help="one JSON object for each clip")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch the folder; with --once return 0, or 1 when a clip failed."""
    settings = Settings.load(arguments.home)
    arrivals = FolderWatcher(arguments.folder)
    arrivals.look()
    prepare(arguments.out)
    return run_stoppable(
        lambda by_user: _watch(arrivals, settings, arguments, by_user), arguments.home
    )


class FolderWatcher:
    """The images of a folder that have come whole.

    Nothing tells when a file has been written to its end; one whose size and time are the same in
    two looks is taken for whole, and so is its sidecar.

    Args:
        folder: The folder; those inside it are not looked at.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, Version] = {}
        self._told: dict[Path, Version] = {}

    def look(self) -> list[Path]:
        """Return the images that are whole since the last look, or have changed and are again.

        Raises:
            InvalidSettingError: The folder cannot be read.
        """
        before, self._seen = self._seen, self._versions()
        arrived = [
            image
            for image, version in sorted(self._seen.items())
            if before.get(image) == version != self._told.get(image)
        ]
        self._told.update({image: self._seen[image] for image in arrived})
        return arrived

    def _versions(self) -> dict[Path, Version]:
        try:
            files = list(self._folder.iterdir())
        except OSError as error:
            raise InvalidSettingError(
                f"{self._folder} cannot be read ({error.strerror}).", "Give the folder to watch."
            ) from error
        images = [
            file
            for file in files
            if file.suffix.lower() in IMAGES and not file.name.startswith(".")
        ]
        return {image: version for image in images if (version := _version(image))}


def _version(image: Path) -> Version | None:
    try:
        first, second = image.stat(), image.with_suffix(".txt").stat()
    except OSError:  # it has no sidecar, or one of the two was taken away just now
        return None
    return first.st_size, first.st_mtime_ns, second.st_size, second.st_mtime_ns


async def _watch(
    arrivals: FolderWatcher,
    settings: Settings,
    arguments: argparse.Namespace,
    by_user: Callable[[], bool],
) -> int:
    turns = asyncio.Semaphore(AT_ONCE)
    look = arrivals.look if arguments.once else partial(_scan_or_warn, arrivals, set())
    tasks: list[asyncio.Task[bool]] = []
    async with open_session(arguments.home, settings) as (provider, ledger):

        async def one(image: Path) -> bool:
            async with turns:
                try:
                    return await _make(image, provider, ledger, settings, arguments, by_user)
                except Exception as error:
                    _say(unexpected(image.name, error))
                    return False

        try:
            while True:
                await asyncio.sleep(arguments.interval)
                for image in await asyncio.to_thread(look):
                    tasks.append(asyncio.create_task(one(image)))
                if arguments.once:
                    return 0 if all(await asyncio.gather(*tasks)) else 1
                tasks = [task for task in tasks if not task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _scan_or_warn(arrivals: FolderWatcher, told: set[str]) -> list[Path]:
    """Look, and see nothing while the folder cannot be read: a share comes back."""
    try:
        return arrivals.look()
    except InvalidSettingError as error:
        if error.message not in told:
            told.add(error.message)
            _say(error.message)
        return []


async def _make(
    image: Path,
    provider: Provider,
    ledger: Ledger,
    settings: Settings,
    arguments: argparse.Namespace,
    by_user: Callable[[], bool],
) -> bool:
    destination = Destination(arguments.out, image.stem)
    try:
        request = await asyncio.to_thread(_request, image, arguments)
        if await _was_made(request, ledger, arguments.out.absolute()):
            return True
        clip = await generate(
            request,
            provider,
            ledger,
            destination,
            settings=settings,
            on_progress=_callback_for(image.name),
            cancelled_by_user=by_user,
        )
        clip = await asyncio.to_thread(copy_to, destination, clip)
    except ViduError as error:
        _say(f"{image.name}: {error}")
        return False
    print(json.dumps(as_json(clip)) if arguments.json else clip.path, flush=True)
    return True


def _request(image: Path, arguments: argparse.Namespace) -> Request:
    sidecar = image.with_suffix(".txt")
    try:
        prompt = sidecar.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidPromptError(
            f"{sidecar.name} cannot be read.", "Write the prompt as UTF-8 text."
        ) from error
    return image_to_video(
        load_image(image),
        prompt,
        seed=arguments.seed,
        movement_amplitude=arguments.movement_amplitude,
    )


async def _was_made(request: Request, ledger: Ledger, folder: Path) -> bool:
    """Return whether this folder got the clip before; it may have been taken away since."""
    entry = await ledger.active(request.fingerprint)
    return bool(
        entry and entry.state is State.SAVED and entry.file and entry.file.path.parent == folder
    )


def _callback_for(name: str) -> ProgressCallback:
    phase: Phase | None = None

    def on_progress(progress: Progress) -> None:
        nonlocal phase
        if progress.warning or progress.phase is not phase:
            _say(f"{name}: {progress.text}")
        phase = progress.phase

    return on_progress


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 3600")
    return seconds
