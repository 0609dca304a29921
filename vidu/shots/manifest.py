"""A manifest of shots: a CSV, JSONL or YAML file, checked whole.

A shot may have these values; CSV has their names as its first row:

- `prompt`, `seed`
- `image` and `end_image`, `images`, `videos` and `voices` (references), `video` (to extend): paths,
  from the manifest's own folder. A cell of references holds several with `|` between them.
- `model`, `task` and any option of the model, such as `duration` or `movement_amplitude`
- `out`, the name of its clip
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalog import all_choices
from ..endpoint import Intention
from ..errors import InvalidInputError, InvalidSettingError
from ..fields import OptionValue, as_whole_number
from ..request import check_seed
from .manifest_formats import FORMATS, Unusable
from .shot_list import read_seed
from .shot_spec import REFERENCE_ROLES, ShotSpec, find_file
from .text_encoding import decode_text

NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
DEVICES = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)
"""What Windows refuses in a file's name is refused everywhere: manifests travel."""

LONGEST_NAME = 200
"""In bytes. File systems take 255, and a number, `.mp4` and the like follow."""

OWN_FIELDS = ("prompt", "seed", "model", "task", "out")
SPREADSHEET_ERROR = re.compile(r"#(NAME\?|REF!|VALUE!|N/A|DIV/0!|NUM!|NULL!|SPILL!|#+)", re.I)
TIME_OF_DAY = re.compile(r"0?([0-9]{1,2}):0?([0-9]{1,2})(:00)?")
"""What a spreadsheet makes of the aspect ratio 16:9."""


@dataclass(frozen=True)
class ManifestShot:
    """One shot of a manifest.

    Args:
        number: Its place among the shots, from 1.
        spec: What it is made of.
        out: The name of its clip without suffix; empty when the manifest does not say.
    """

    number: int
    spec: ShotSpec
    out: str


@dataclass(frozen=True)
class Manifest:
    """The shots of a file.

    Args:
        shots: At least one.
        encoding: What the file was decoded by, such as utf-8.
    """

    shots: Sequence[ManifestShot]
    encoding: str


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; whether the files in it can be used is not looked at here.

    Raises:
        InvalidInputError: It cannot be read, is empty, or has invalid rows: all are named.
    """
    parse = FORMATS.get(path.suffix.lower())
    if parse is None:
        raise InvalidSettingError(
            f"{path.name} is not a manifest by its name.", f"Use one of {', '.join(FORMATS)}."
        )
    try:
        text, encoding = decode_text(path.read_bytes())
        shots = parse(text)
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}", "Fix the manifest.") from error
    if not shots:
        raise InvalidInputError(f"{path} holds no shot.", "Write shots with image and prompt.")
    found, problems = [], []
    for number, shot in enumerate(shots, 1):
        try:
            found.append(_read_shot(number, shot, path.parent))
        except InvalidInputError as error:
            problems.append(f"Row {number}: {error.message} {error.next_step}")
    if problems:
        raise InvalidInputError("\n".join(problems), "Fix the manifest, then run again.")
    return Manifest(found, encoding)


def option_names() -> frozenset[str]:
    """Return the names of all options of all models."""
    return frozenset(field.name for *_, endpoint in all_choices() for field in endpoint.fields)


def media_roles() -> frozenset[str]:
    """Return the names of all media of all models."""
    return frozenset(field.role for *_, endpoint in all_choices() for field in endpoint.media)


def _read_shot(number: int, shot: object, folder: Path) -> ManifestShot:
    _require_usable(shot)
    if not isinstance(shot, Mapping):
        raise InvalidSettingError(
            "It is not an object with named values.", "Name each: image, prompt."
        )
    given = {name: value for name, value in shot.items() if value not in (None, "", [])}
    for name, value in given.items():
        _check_field(str(name), value)
    options = option_names()
    spec = ShotSpec(
        prompt=_text(given, "prompt"),
        seed=_seed(given.get("seed", 0)),
        model=_text(given, "model"),
        task=_task(_text(given, "task")),
        options={name: _option(name, value) for name, value in given.items() if name in options},
        media={
            role: _files(role, given[role], folder) for role in sorted(media_roles() & given.keys())
        },
    )
    spec.check()
    return ManifestShot(number, spec, _name(_text(given, "out")))


def _check_field(name: str, value: object) -> None:
    known = [*OWN_FIELDS, *sorted(media_roles()), *sorted(option_names())]
    if name not in known:
        similar = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        raise InvalidSettingError(
            f"It has {name}, which no model takes.{hint}", f"A shot can have {', '.join(known)}."
        )
    _require_usable(value)
    if isinstance(value, str) and SPREADSHEET_ERROR.fullmatch(value.strip()):
        raise InvalidSettingError(
            f"{name} is {value.strip()}, an error of the spreadsheet.",
            "Format the column as text and write the value again.",
        )


def _require_usable(value: object) -> None:
    if isinstance(value, Unusable):
        raise InvalidSettingError(value.reason, value.next_step)


def _text(shot: Mapping[Any, object], name: str) -> str:
    value = shot.get(name, "")
    if not isinstance(value, str):
        raise InvalidSettingError(
            f"{name} is {value!r}, which is not text.", "Put it between double quotes."
        )
    return value.strip()


def _seed(value: object) -> int:
    if not isinstance(value, str):
        return check_seed(value)
    try:
        return read_seed(re.sub(r"[.,]0+$", "", value.strip()))
    except InvalidSettingError as error:
        if re.fullmatch(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+", value.strip()):
            raise InvalidSettingError(
                f"The seed is {value!r}: a spreadsheet cut off its digits.",
                "Format the column as a number without decimals and write the seed again.",
            ) from error
        raise


def _task(name: str) -> Intention | None:
    if not name:
        return None
    try:
        return Intention(re.sub(r"[\s_]+", "-", name.lower()))
    except ValueError:
        raise InvalidSettingError(
            f"task is {name!r}.", f"Use one of {', '.join(task.value for task in Intention)}."
        ) from None


def _option(name: str, value: object) -> OptionValue:
    if isinstance(value, str):
        text = value.strip()
        time = TIME_OF_DAY.fullmatch(text)
        if time:
            return f"{time[1]}:{time[2]}"
        return re.sub(r"^([0-9]+)[.,]0+$", r"\1", text)
    if isinstance(value, bool):
        return value
    number = as_whole_number(value)
    if number is None:
        raise InvalidSettingError(f"{name} is {value!r}.", "Write a plain value.")
    return number


def _files(role: str, value: object, folder: Path) -> tuple[Path, ...]:
    several = role in REFERENCE_ROLES.values()
    names = value.split("|") if isinstance(value, str) and several else value
    names = names if isinstance(names, list) and several else [names]
    found = [find_file(folder, name) for name in names if isinstance(name, str) and name.strip()]
    if not found or len(found) < len(names):
        raise InvalidSettingError(f"{role} is {value!r}.", "Give the path of a file.")
    return tuple(found)


def _name(out: str) -> str:
    name = re.sub(r"\.(mp4|png)$", "", out, flags=re.IGNORECASE)
    if NOT_IN_NAMES.search(name) or DEVICES.fullmatch(name) or name != name.strip(". "):
        raise InvalidSettingError(
            f"out is {out!r}, which is not a plain file name.",
            "Leave out folders, marks such as : or ?, dots and spaces at the ends, and the names "
            "of Windows devices.",
        )
    if len(name.encode(errors="surrogatepass")) > LONGEST_NAME:
        raise InvalidSettingError(
            f"out is {len(name.encode())} bytes long.", f"Use {LONGEST_NAME} or fewer."
        )
    return name
