"""The destination of one shot's files: a folder, and numbered file names."""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
import secrets
from base64 import b32encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from .errors import InvalidSettingError, SaveError
from .files import remove_file, rename_to_new_name

LONGEST_STEM = 200
"""In bytes. File systems take 255 for a name; the number and the suffix follow the stem."""

PROBE_BYTES = 1 << 16
"""What `check` writes: a full disk or an exhausted quota takes an empty file."""

MOST_CLAIMS = 10_000
"""How many taken names `claim` passes over, beyond the highest number it saw."""

ON_WINDOWS = os.name == "nt"

LONGEST_WINDOWS_PATH = 259
"""In characters, where long paths are not switched on."""

CONTROL_CHARACTERS = re.compile(r"[\0-\x1f\x7f]+")
WINDOWS_CHARACTERS = re.compile(r'[<>:"|?*]')
"""What no file name has on Windows; a colon would silently write an alternate data stream."""

WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.I)
SIZE = re.compile("%(?:width|height)%")


@dataclass(frozen=True)
class Destination:
    """The folder of a shot's files, and the stem of their names: `stem`_00001.mp4 and up.

    `%width%` and `%height%` in both stand for the size of the clip, in pixels.

    Args:
        folder: The folder; it is made when the first file is saved.
        stem: The name without number and suffix. Characters that cannot stand in a file name
            become `_`, and what is longer than 200 bytes is cut.
        root: The folder that moves as a whole, and that each machine may have elsewhere: ComfyUI's
            output folder. `folder` is in it; None is `folder` itself.
    """

    folder: Path
    stem: str
    root: Path

    def __init__(self, folder: Path | str, stem: str, root: Path | None = None) -> None:
        object.__setattr__(self, "folder", Path(folder).absolute())
        object.__setattr__(self, "root", root.absolute() if root else self.folder)
        object.__setattr__(self, "stem", clean_name(stem) or "clip")

    @classmethod
    def inside(cls, root: Path, prefix: str, *, windows: bool = ON_WINDOWS) -> Destination:
        """Return the destination that a prefix such as `video/Vidu` names below `root`.

        Args:
            root: The folder that must not be left; a link inside it may lead anywhere.
            prefix: Folders and the stem, between slashes.
            windows: Whether names follow the rules of Windows, and a backslash is a slash.

        Raises:
            InvalidSettingError: The prefix leads out of the folder.
        """
        separated = prefix.replace("\\", "/") if windows else prefix
        *folders, stem = separated.split("/")
        if (
            separated.startswith("/")
            or ".." in (*folders, stem)
            or re.match("[A-Za-z]:/", separated)
        ):
            raise InvalidSettingError(
                f"{prefix!r} leads out of the folder {root}.",
                "Use a prefix that begins inside it, such as video/Vidu.",
            )
        names = [
            clean_folder_name(name, windows=windows) for name in folders if name not in ("", ".")
        ]
        return cls(root.joinpath(*names), clean_name(stem, windows=windows), root)

    def for_size(self, width: int, height: int) -> Destination:
        """Return the destination of a clip of this size, in pixels."""

        def fill(text: str) -> str:
            return text.replace("%width%", str(width)).replace("%height%", str(height))

        folder, root = Path(fill(str(self.folder))), Path(fill(str(self.root)))
        return replace(self, folder=folder, stem=fill(self.stem), root=root)

    def relative_path(self, path: Path) -> str:
        """Return where a file lies below the root, with `/` between folders; "" if elsewhere."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else ""

    def check(self) -> None:
        """Make the folder and write a file of such a name there, for real.

        Raises:
            InvalidSettingError: A file could not be saved there.
        """
        folder = self._known_folder()
        try:
            str(self.folder).encode()
        except UnicodeEncodeError:
            shown = str(self.folder).encode(errors="replace").decode()
            raise InvalidSettingError(
                f"The name of the folder {shown} is not valid UTF-8.",
                "Rename that folder, or save to another one.",
            ) from None
        probe = folder / f"{self.stem}_{secrets.token_hex(4)[:5]}.tmp"  # as long as a clip's name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                with probe.open("xb") as file:
                    file.write(bytes(PROBE_BYTES))
            finally:
                with suppress(OSError):
                    remove_file(probe)
        except (OSError, ValueError) as error:
            name = f"{folder / self.stem}_00001.mp4"
            raise InvalidSettingError(
                f"A clip cannot be saved as {name} ({_reason(error, probe)}).",
                "Use another folder or name, or make that folder writable.",
            ) from error

    def candidates(self, suffix: str) -> Iterator[Path]:
        """Yield the names from the highest number that is in use on, the best first.

        Args:
            suffix: Such as `.mp4`.
        """
        first = max((number for number, _ in self._numbered()), default=0) + 1
        return (self.folder / f"{self.stem}_{number:05}{suffix}" for number in count(first))

    def claim(self, part: Path, suffix: str) -> Path:
        """Rename a file to the first free name.

        No two claims ever share a name, in this process or another.

        Args:
            part: The whole file, on the file system of the folder.
            suffix: Such as `.mp4`.

        Returns:
            Its new name.

        Raises:
            SaveError: No name was free.
            OSError: It could not be renamed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for _, path in zip(range(MOST_CLAIMS), self.candidates(suffix), strict=False):
            try:
                return rename_to_new_name(part, path)
            except FileExistsError:
                continue
        raise SaveError(f"No name beginning with {self.stem} is free in {self.folder}.")

    def temporary_path(self, key: str = "") -> Path:
        """Return the hidden name of a file that is not whole yet; it is shorter than a clip's.

        Args:
            key: The same key names the same file; without one, a new file is named.
        """
        digest = hashlib.sha256((key or secrets.token_hex(16)).encode()).digest()
        return self._known_folder() / f".{b32encode(digest)[:10].decode().lower()}"

    def find_copy(self, file: Path) -> Path | None:
        """Return the file with such a name that has the same content as `file`, if there is one.

        Raises:
            OSError: One of the files cannot be read.
        """
        for _, path in sorted(self._numbered()):
            if path.suffix == file.suffix and filecmp.cmp(path, file, shallow=False):
                return path
        return None

    def _numbered(self) -> Iterator[tuple[int, Path]]:
        pattern = re.compile(rf"{re.escape(self.stem)}_([0-9]{{5,15}})\.[^.]+", re.I)
        with suppress(FileNotFoundError, NotADirectoryError):
            for path in self.folder.iterdir():
                match = pattern.fullmatch(path.name)
                if match:
                    yield int(match[1]), path

    def _known_folder(self) -> Path:
        """Return the part of the folder that does not wait for the size of the clip."""
        parts = self.folder.parts
        unknown = next((n for n, part in enumerate(parts) if SIZE.search(part)), len(parts))
        return Path(*parts[:unknown])


def clean_name(name: str, *, windows: bool = ON_WINDOWS, most_bytes: int = LONGEST_STEM) -> str:
    """Return the name with what no file can be called replaced, cut to a number of bytes.

    Args:
        name: The name, without folders; a slash is replaced as well.
        windows: Whether names follow the rules of Windows.
        most_bytes: How long it may be, in bytes of UTF-8; no character is cut in half.
    """
    name = CONTROL_CHARACTERS.sub(" ", name).replace("/", "_")
    if windows:
        name = WINDOWS_CHARACTERS.sub("_", name).replace("\\", "_")
    name = name.strip()
    return name.encode(errors="ignore")[:most_bytes].decode(errors="ignore").rstrip()


def clean_folder_name(name: str, *, windows: bool = ON_WINDOWS) -> str:
    """Return the name as a folder can have it; see `clean_name`."""
    cleaned = clean_name(name, windows=windows)
    if windows:  # a trailing dot or blank is dropped there, and a device is not a folder
        cleaned = cleaned.rstrip(". ") or "_"
        cleaned = f"{cleaned}_" if WINDOWS_DEVICES.fullmatch(cleaned) else cleaned
    return cleaned or "_"


def _reason(error: OSError | ValueError, path: Path) -> str:
    if any(folder.is_symlink() and not folder.exists() for folder in path.parents):
        return "it is a link to a folder that is not there"
    if any(folder.is_file() for folder in path.parents):
        return "where a folder should be, there is a file"
    if ON_WINDOWS and len(str(path)) > LONGEST_WINDOWS_PATH:
        return f"Windows takes paths of up to {LONGEST_WINDOWS_PATH} characters"
    return getattr(error, "strerror", None) or str(error)
