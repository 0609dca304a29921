"""`vidu generate`: clips and stills from images, references, a video or words alone."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..destination import Destination
from ..endpoint import Intention
from ..errors import GenerationError, InvalidInputError, ViduError
from ..generate import generate
from ..models import Clip
from ..request import Request
from ..session import open_session
from ..settings import Settings
from ..shots.shot_spec import ShotSpec, first_role, role_of_reference
from ._arguments import add_draft, add_json, add_out, add_shot_values, read_options
from ._contact_sheet import CONTACT_SHEET, SheetItem, save_contact_sheet
from ._frames import export_frames
from ._gather import gather_all
from ._input_files import expand_files
from ._output import as_json, check_output_folder, copy_into, print_notice
from ._progress_bars import ProgressBars
from ._signals import run_stoppable

if TYPE_CHECKING:
    from ._arguments import Commands

OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "end_image": "--end",
        "images": "--reference",
        "videos": "--reference",
        "voices": "--reference",
        "video": "--video",
    }
)
"""The argument that the files of a role are given with; an IMAGE has none."""


@dataclass(frozen=True)
class Options:
    """The arguments of `generate`, under their own names."""

    home: Path
    images: Sequence[str]
    prompt: str
    model: str
    task: Intention | None
    options: Sequence[tuple[str, str]]
    seed: int
    end: str | None
    references: Sequence[str]
    video: str | None
    out: Path
    draft: bool
    frames: str | None
    overview: bool
    contact_sheet: bool
    json: bool


@dataclass(frozen=True)
class Shot:
    """One shot of the command line.

    Args:
        label: What it is called.
        stem: What its file is called.
        request: What is asked of fal.
        arguments: Its files as they were typed, by the names of `GenerationError.refused_input`.
    """

    label: str
    stem: str
    request: Request
    arguments: Mapping[str, str]


def add_to(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "generate",
        parents=[shared],
        help="images, references, a video or words into clips",
        description="Make one clip for each IMAGE, all at once; or one clip of references, of a "
        "video or of words alone.",
    )
    parser.add_argument("images", metavar="IMAGE", nargs="*", help="a first frame, or *.png")
    parser.add_argument("--prompt", default="", help="what should happen")
    parser.add_argument("--end", metavar="IMAGE", help="the last frame")
    parser.add_argument(
        "--reference",
        dest="references",
        metavar="FILE",
        action="append",
        default=[],
        help="an image, video or voice to keep to; may be repeated",
    )
    parser.add_argument("--video", metavar="FILE", help="a clip to extend")
    add_shot_values(parser)
    add_out(parser)
    add_draft(parser)
    parser.add_argument("--frames", choices=("png", "jpg"), help="write each frame as a picture")
    parser.add_argument("--overview", action="store_true", help="write 16 frames on one picture")
    parser.add_argument(
        "--contact-sheet", action="store_true", help=f"write {CONTACT_SHEET}, a page of all clips"
    )
    add_json(parser)
    parser.set_defaults(run=lambda namespace: run(read_options(Options, namespace)))


def run(options: Options) -> int:
    """Make the clips; return 0, or 1 when one failed."""
    settings = Settings.load(options.home)
    shots = [_build_shot(spec, options) for spec in _read_specs(options)]
    check_output_folder(options.out)
    results = run_stoppable(
        lambda by_user: _generate_all(shots, settings, options, by_user),
        None if options.draft else options.home,
    )
    if options.contact_sheet:
        items = [
            SheetItem.of(shot.label, shot.request.prompt, _facts(shot.request), result)
            for shot, result in zip(shots, results, strict=True)
        ]
        save_contact_sheet(options.out, "vidu generate", items)
    return 0 if all(isinstance(result, Clip) for result in results) else 1


def _facts(request: Request) -> str:
    options = [f"{name} {value}" for name, value in request.options.items()]
    return ", ".join([request.endpoint.model, f"seed {request.seed or 'by Vidu'}", *options])


def _read_specs(options: Options) -> list[ShotSpec]:
    references = expand_files(options.references)
    media: dict[str, tuple[Path, ...]] = {}
    if options.end:
        media["end_image"] = tuple(expand_files([options.end]))
    for path in references:
        role = role_of_reference(path)
        media[role] = (*media.get(role, ()), path)
    if options.video:
        media["video"] = tuple(expand_files([options.video]))
    images = expand_files(options.images)
    return [
        ShotSpec(
            prompt=options.prompt,
            seed=options.seed,
            model=options.model,
            task=options.task,
            options=dict(options.options),
            media={first_role(options.task): (image,), **media} if image else media,
        )
        for image in images or (None,)
    ]


def _build_shot(spec: ShotSpec, options: Options) -> Shot:
    file = spec.first_file
    label = str(file.name) if file else spec.intention.value
    try:
        request = spec.build(print_notice)
    except InvalidInputError as error:
        raise type(error)(f"{label}: {error.message}", error.next_step) from error
    arguments = _arguments_of(spec.media, has_references=bool(options.references))
    return Shot(label, file.stem if file else label, request, arguments)


def _arguments_of(media: Mapping[str, Sequence[Path]], *, has_references: bool) -> dict[str, str]:
    arguments: dict[str, str] = {}
    for role, paths in media.items():
        is_positional = role == "image" or (role == "images" and not has_references)
        option = "" if is_positional else f"{OPTIONS[role]} "
        words = [f"{option}{path}" for path in paths]
        arguments |= {role: ", ".join(words)}
        arguments |= {f"{role} {number}": word for number, word in enumerate(words, 1)}
    return arguments


def _describe_failure(shot: Shot, error: ViduError) -> str:
    refused = error.refused_input if isinstance(error, GenerationError) else ""
    argument = shot.arguments.get(refused)
    return f"{shot.label}: {error}" + (f" ({refused} is {argument})" if argument else "")


async def _generate_all(
    shots: Sequence[Shot],
    settings: Settings,
    options: Options,
    by_user: Callable[[], bool],
) -> list[Clip | ViduError]:
    one_at_a_time = asyncio.Lock()  # one clip's frames fill a gigabyte
    async with open_session(options.home, settings, draft=options.draft) as (provider, ledger):
        labels = [shot.label for shot in shots]
        bars = ProgressBars(labels)

        async def make(index: int) -> Clip | ViduError:
            shot = shots[index]
            try:
                clip = await generate(
                    shot.request,
                    provider,
                    ledger,
                    Destination(options.out, shot.stem),
                    settings=settings,
                    on_progress=bars.callback_for(index),
                    cancelled_by_user=by_user,
                )
                clip = await asyncio.to_thread(copy_into, options.out, clip)
                async with one_at_a_time:
                    await _export_frames(clip, options)
            except ViduError as error:
                bars.say(_describe_failure(shot, error))
                return error
            bars.print(json.dumps(as_json(clip)) if options.json else str(clip.path))
            return clip

        with bars:
            return await gather_all([make(n) for n in range(len(shots))], labels, bars.say)


async def _export_frames(clip: Clip, options: Options) -> None:
    try:
        await asyncio.to_thread(
            export_frames, clip.path, frames=options.frames, overview=options.overview
        )
    except ViduError as error:
        raise error.with_charge(clip.charge, clip.request_id) from error
