"""A manifest of shots: a CSV, JSONL or YAML file, checked whole.

Each shot has an `image` (a path, from the manifest's own folder) and a `prompt`, and may have a
`seed`, a `movement_amplitude`, and `out`, the name of its clip. CSV has these as its first row.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ..endpoints import VIDU_IMAGE_TO_VIDEO
from ..errors import InvalidInputError, InvalidSettingError
from ..request import check_prompt, check_seed
from .shot_list import parse_amplitude, read_seed

FIELDS = ("image", "prompt", "seed", "movement_amplitude", "out")
DELIMITERS = ",;\t"
NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
DEVICES = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.IGNORECASE)
"""What Windows refuses in a file's name is refused everywhere: manifests travel."""

LONGEST_NAME = 200
"""In bytes. File systems take 255, and a number, `.mp4` and the like follow."""


@dataclass(frozen=True)
class ManifestShot:
    """One shot of a manifest.

    Args:
        number: Its place among the shots, from 1.
        image: The file of its first frame.
        prompt: 1 to 1500 code points, trimmed.
        seed: 0..2147483647; 0 lets Vidu choose.
        movement_amplitude: auto, small, medium or large.
        out: The name of its clip without `.mp4`; empty when the manifest does not say.
    """

    number: int
    image: Path
    prompt: str
    seed: int
    movement_amplitude: str
    out: str


def read_manifest(path: Path) -> list[ManifestShot]:
    """Read a manifest; whether the images can be used is not looked at here.

    Raises:
        InvalidInputError: It cannot be read, is empty, or has invalid rows: all are named.
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise InvalidSettingError(
            f"{path.name} is no manifest by its name.", f"Use one of {', '.join(FORMS)}."
        )
    try:
        shots = form(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidInputError(f"{path} cannot be read: {error}.", "Mend the manifest.") from error
    if not shots:
        raise InvalidInputError(f"{path} holds no shot.", f"Write shots with {', '.join(FIELDS)}.")
    rows, problems = [], []
    for number, shot in enumerate(shots, 1):
        try:
            rows.append(_row(number, shot, path.parent))
        except InvalidInputError as error:
            problems.append(f"Row {number}: {error.message} {error.next_step}")
    if problems:
        raise InvalidInputError("\n".join(problems), "Mend the manifest, then run again.")
    return rows


def _row(number: int, shot: object, folder: Path) -> ManifestShot:
    if not isinstance(shot, Mapping):
        raise InvalidSettingError(
            "It is no set of named values.", f"Name each: {', '.join(FIELDS)}."
        )
    given = {name: value for name, value in shot.items() if value not in (None, "")}
    unknown = [str(name) for name in given if name not in FIELDS]
    if unknown:
        raise InvalidSettingError(
            f"It has {', '.join(unknown)}.", f"What a shot can have is {', '.join(FIELDS)}."
        )
    return ManifestShot(
        number=number,
        image=folder / _text(given, "image"),
        prompt=check_prompt(_text(given, "prompt"), VIDU_IMAGE_TO_VIDEO),
        seed=_seed(given.get("seed", 0)),
        movement_amplitude=parse_amplitude(_text(given, "movement_amplitude", "auto")),
        out=_name(_text(given, "out", "")),
    )


def _text(shot: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = shot.get(name, default)
    if value is None:
        raise InvalidSettingError(f"It has no {name}.", "Every shot needs an image and a prompt.")
    if not isinstance(value, str):
        raise InvalidSettingError(f"{name} is {value!r}, no text.", "Put it between double quotes.")
    return value.strip()


def _seed(value: object) -> int:
    if isinstance(value, str):
        return read_seed(value)
    check_seed(value)
    assert isinstance(value, int)
    return value


def _name(out: str) -> str:
    name = re.sub(r"\.mp4$", "", out, flags=re.IGNORECASE)
    if NOT_IN_NAMES.search(name) or DEVICES.fullmatch(name) or name != name.strip(". "):
        raise InvalidSettingError(
            f"out is {out!r}, no plain file name.",
            "Leave out folders, marks such as : or ?, dots and spaces at the ends, and what "
            "Windows calls its devices.",
        )
    if len(name.encode()) > LONGEST_NAME:
        raise InvalidSettingError(
            f"out is {len(name.encode())} bytes long.", f"Use {LONGEST_NAME} or fewer."
        )
    return name


def _csv(text: str) -> list[dict[str, Any]]:
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.DictReader(
        StringIO(text, newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=True,
        restkey="more values than columns",
    )
    names = [name.strip() for name in rows.fieldnames or ()]
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    rows.fieldnames = names
    return [row for row in rows if any(row.values())]


def _jsonl(text: str) -> list[Any]:
    shots = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            shots += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON: {error}") from error
    return shots


def _yaml(text: str) -> list[Any]:
    import yaml  # the only form that needs a package

    try:
        shots = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(shots, list):
        raise ValueError("it holds no list of shots")
    return shots


FORMS: Mapping[str, Callable[[str], list[Any]]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".yaml": _yaml,
    ".yml": _yaml,
}
