"""A watcher of a folder: images that are complete, and files that are passed over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidSettingError
from ..media.image_file import SUFFIXES, is_image_name

SIDECAR_SUFFIX = ".txt"
TEMPORARY = re.compile(r"\.[a-z2-7]{10}")
"""The names of clips that are not whole yet; see `Destination.temporary_path`."""

Version = tuple[int, int, int, int]
"""Size and time of change of an image and of its sidecar."""


@dataclass(frozen=True)
class Arrival:
    """An image and the text file with its prompt."""

    image: Path
    sidecar: Path


@dataclass(frozen=True)
class Scan:
    """What one look at the folder found.

    Args:
        arrivals: The images that are whole since the last scan, or have changed and are again.
        passed_over: A sentence for each file that is not a part of a shot, told once.
    """

    arrivals: Sequence[Arrival]
    passed_over: Sequence[str]


class FolderWatcher:
    """A folder that is scanned again and again.

    Nothing tells when a file has been written to its end: one whose size and time are the same in
    two scans is taken for whole, and so is its sidecar.

    Args:
        folder: The folder; those inside it are not looked into.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Arrival, Version] = {}
        self._made: dict[Arrival, Version] = {}
        self._unused: dict[Path, str] = {}
        self._told: set[Path] = set()
        self._own: set[Path] = set()

    def add_own(self, file: Path) -> None:
        """Remember a clip that was saved into the folder: nothing is said of it."""
        self._own.add(file.absolute())

    def scan(self) -> Scan:
        """Look at the folder.

        Raises:
            InvalidSettingError: The folder cannot be read.
        """
        files = self._list_files()
        sidecars = {_stem(file): file for file in files if file.suffix.lower() == SIDECAR_SUFFIX}
        before, self._seen = self._seen, _read_versions(files, sidecars)
        arrived = [
            arrival
            for arrival, version in self._seen.items()
            if before.get(arrival) == version != self._made.get(arrival)
        ]
        self._made.update({arrival: self._seen[arrival] for arrival in arrived})
        return Scan(arrived, self._find_passed_over(files, sidecars))

    def _list_files(self) -> list[Path]:
        try:
            files = sorted(self._folder.iterdir())
        except OSError as error:
            raise InvalidSettingError(
                f"{self._folder} cannot be read ({error.strerror}).", "Give the folder to watch."
            ) from error
        return [
            file
            for file in files
            if not TEMPORARY.fullmatch(file.name) and file.absolute() not in self._own
        ]

    def _find_passed_over(self, files: Sequence[Path], sidecars: dict[str, Path]) -> list[str]:
        """Return what is said of the files that were as useless in the scan before."""
        before, self._unused = self._unused, dict(_find_unused(files, sidecars))
        self._told &= self._unused.keys()
        found = [
            file
            for file, reason in self._unused.items()
            if before.get(file) == reason and file not in self._told
        ]
        self._told.update(found)
        return [f"{file.name} is passed over: {self._unused[file]}." for file in found]


def _read_versions(files: Sequence[Path], sidecars: dict[str, Path]) -> dict[Arrival, Version]:
    arrivals = [
        Arrival(file, sidecars[_stem(file)])
        for file in files
        if _is_image(file) and _stem(file) in sidecars
    ]
    return {arrival: version for arrival in arrivals if (version := _version(arrival))}


def _version(arrival: Arrival) -> Version | None:
    try:
        first, second = arrival.image.stat(), arrival.sidecar.stat()
    except OSError:  # one of the two was taken away just now
        return None
    return first.st_size, first.st_mtime_ns, second.st_size, second.st_mtime_ns


def _find_unused(files: Sequence[Path], sidecars: dict[str, Path]) -> Iterator[tuple[Path, str]]:
    images = {_stem(file) for file in files if _is_image(file)}
    for file in files:
        if file.is_dir():
            yield file, "it is a folder"
        elif file.name.startswith("."):
            yield file, "it is hidden"
        elif _is_image(file):
            if _stem(file) not in sidecars:
                yield file, f"its prompt, {file.stem}{SIDECAR_SUFFIX}, is not there"
        elif file.suffix.lower() in SUFFIXES:
            yield file, f"this Pillow does not read {file.suffix} files"
        elif file.suffix.lower() != SIDECAR_SUFFIX:
            yield file, "it is neither an image nor a prompt"
        elif _stem(file) not in images:
            yield file, f"there is no image named {file.stem}"


def _is_image(file: Path) -> bool:
    return is_image_name(file) and not file.name.startswith(".")


def _stem(file: Path) -> str:
    """Return the name that an image shares with its sidecar, in whatever case."""
    return file.stem.casefold()
