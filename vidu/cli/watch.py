"""`vidu watch`: each new image of a folder, with its prompt beside it, into a clip."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..destination import Destination
from ..endpoint import Intention
from ..errors import InvalidPromptError, InvalidSettingError, ViduError
from ..generate import generate
from ..ledger import Ledger
from ..models import State
from ..progress import Phase, Progress, ProgressCallback
from ..provider import Provider
from ..request import Request
from ..session import open_session
from ..settings import Settings
from ..shots.shot_spec import ShotSpec, first_role
from ..shots.text_encoding import decode_text
from ._arguments import add_json, add_out, add_shot_values, parse_seconds, read_options
from ._folder_watcher import Arrival, FolderWatcher
from ._gather import unexpected
from ._output import (
    OutputClosedError,
    as_json,
    check_output_folder,
    copy_to,
    print_notice,
    print_result,
)
from ._signals import run_stoppable

if TYPE_CHECKING:
    import argparse

    from ._arguments import Commands

AT_ONCE = 8


@dataclass(frozen=True)
class Options:
    """The arguments of `watch`, under their own names."""

    home: Path
    folder: Path
    model: str
    task: Intention | None
    options: Sequence[tuple[str, str]]
    seed: int
    out: Path
    interval: float
    once: bool
    json: bool


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
    add_shot_values(parser)
    add_out(parser, required=True)
    parser.add_argument(
        "--interval",
        metavar="S",
        type=parse_seconds,
        default=1.0,
        help="polling interval in seconds (default 1)",
    )
    parser.add_argument("--once", action="store_true", help="end when what is there is done")
    add_json(parser)
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Watch the folder; with --once return 0, or 1 when a clip failed."""
    settings = Settings.load(options.home)
    watcher = FolderWatcher(options.folder)
    watcher.scan()
    check_output_folder(options.out)
    return run_stoppable(lambda by_user: _watch(watcher, settings, options, by_user), options.home)


async def _watch(
    watcher: FolderWatcher, settings: Settings, options: Options, by_user: Callable[[], bool]
) -> int:
    semaphore = asyncio.Semaphore(AT_ONCE)
    warned: set[str] = set()
    tasks: list[asyncio.Task[bool]] = []
    async with open_session(options.home, settings) as (provider, ledger):

        async def make(arrival: Arrival) -> bool:
            async with semaphore:
                try:
                    return await _make(
                        arrival, watcher, provider, ledger, settings, options, by_user
                    )
                except OutputClosedError:
                    return False  # nobody reads the paths; the clips are still wanted
                except Exception as error:
                    print_notice(unexpected(arrival.image.name, error))
                    return False

        try:
            while True:
                await asyncio.sleep(options.interval)
                for arrival in await asyncio.to_thread(_scan, watcher, warned, options):
                    tasks.append(asyncio.create_task(make(arrival)))
                if options.once:
                    return 0 if all(await asyncio.gather(*tasks)) else 1
                tasks = [task for task in tasks if not task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _scan(watcher: FolderWatcher, warned: set[str], options: Options) -> Sequence[Arrival]:
    """Scan, and find nothing while the folder cannot be read: a share comes back."""
    try:
        scan = watcher.scan()
    except InvalidSettingError as error:
        if options.once:
            raise
        if error.message not in warned:
            warned.add(error.message)
            print_notice(error.message)
        return []
    for line in scan.passed_over:
        print_notice(line)
    return scan.arrivals


async def _make(
    arrival: Arrival,
    watcher: FolderWatcher,
    provider: Provider,
    ledger: Ledger,
    settings: Settings,
    options: Options,
    by_user: Callable[[], bool],
) -> bool:
    image = arrival.image
    destination = Destination(options.out, image.stem)
    try:
        request = await asyncio.to_thread(_build_request, arrival, options)
        if await _was_made(request, ledger, options.out.absolute()):
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
        print_notice(f"{image.name}: {error}")
        return False
    watcher.add_own(clip.path)
    print_result(json.dumps(as_json(clip)) if options.json else str(clip.path))
    return True


def _build_request(arrival: Arrival, options: Options) -> Request:
    try:
        prompt, _ = decode_text(arrival.sidecar.read_bytes())
    except (OSError, ValueError) as error:
        raise InvalidPromptError(
            f"{arrival.sidecar.name} cannot be read: {error}", "Write the prompt as UTF-8 text."
        ) from error
    spec = ShotSpec(
        prompt=prompt,
        seed=options.seed,
        model=options.model,
        task=options.task,
        options=dict(options.options),
        media={first_role(options.task): (arrival.image,)},
    )
    return spec.build(print_notice)


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
            print_notice(f"{name}: {progress.text}")
        phase = progress.phase

    return on_progress
