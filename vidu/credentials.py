"""The key: where it is found and stored, and a `Secret` that never prints it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from .errors import MalformedKeyError, MissingKeyError
from .files import remove_file, replace_file

KEY_FILE = "fal_key"
KEY_FOLDER = "key"

_KEY = re.compile(r"[!-9;-~]+:[!-9;-~]+")  # printable ASCII, exactly one colon
_WRAPPING = " \t\r\n\v\f\"'`\u00a0\u200b\ufeff\u2018\u2019\u201c\u201d"


class Secret:
    """A text that appears in no repr, format, pickle or traceback of locals."""

    __slots__ = ("_reveal",)

    def __init__(self, text: str) -> None:
        self._reveal: Callable[[], str] = lambda: text

    def reveal(self) -> str:
        """Return the text, for the one header that carries it."""
        return self._reveal()

    @property
    def account(self) -> str:
        """16 hex digits that tell one key's id from another's, and nothing of either."""
        return hashlib.sha256(self._reveal().partition(":")[0].encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written down")


@dataclass(frozen=True)
class FoundKey:
    """A key and the place it came from, in words a user knows."""

    secret: Secret
    source: str


def find_key(data_dir: Path, environ: Mapping[str, str] = os.environ) -> FoundKey:
    """Look for the key where fal-client looks, then in our own file.

    Args:
        data_dir: The private folder that may hold the file `fal_key`.
        environ: The environment to read: `FAL_KEY`, or `FAL_KEY_ID` with `FAL_KEY_SECRET`.

    Raises:
        MissingKeyError: None of the places holds anything.
        MalformedKeyError: What is there cannot be a key.
    """
    if environ.get("FAL_KEY", "").strip():
        return FoundKey(parse_key(environ["FAL_KEY"], "FAL_KEY"), "FAL_KEY")
    if environ.get("FAL_KEY_ID", "").strip() and environ.get("FAL_KEY_SECRET", "").strip():
        halves = (environ["FAL_KEY_ID"], environ["FAL_KEY_SECRET"])
        joined = ":".join(half.strip(_WRAPPING) for half in halves)
        source = "FAL_KEY_ID and FAL_KEY_SECRET"
        return FoundKey(parse_key(joined, source), source)
    stored = _read(key_path(data_dir))
    if stored:
        return FoundKey(parse_key(stored, "the stored key"), "the stored key")
    raise MissingKeyError("There is no fal key: FAL_KEY is not set, and none is stored.")


def parse_key(text: str, source: str) -> Secret:
    """Clean and check what someone typed or pasted as a key.

    White space, quotes and `FAL_KEY=` around it are dropped, for they come with copying.
    fal-client sends them along, fails for 40 s and then prints the key (fal-client 1.0.3).

    Args:
        text: What was given.
        source: Its place, for the error's words.

    Raises:
        MalformedKeyError: It is not `id:secret` in printable ASCII.
    """
    named = text.strip(_WRAPPING)
    for prefix in ("export ", "FAL_KEY=", "Authorization:", "Key "):  # as it is found in examples
        named = named.removeprefix(prefix).strip(_WRAPPING)
    cleaned = named.strip(_WRAPPING)
    if not _KEY.fullmatch(cleaned):
        raise MalformedKeyError(f"What {source} holds is not a fal key ({_why(cleaned)}).")
    return Secret(cleaned)


def key_path(data_dir: Path, *, os_name: str = os.name) -> Path:
    """Return the file that holds the key; on Windows it has a folder of its own."""
    return data_dir / KEY_FOLDER / KEY_FILE if os_name == "nt" else data_dir / KEY_FILE


def store_key(
    data_dir: Path,
    secret: Secret,
    *,
    os_name: str = os.name,
    python: tuple[int, int, int] = sys.version_info[:3],
) -> str | None:
    """Write the key to a file that this user alone can read.

    A file's mode (0600) does that everywhere but on Windows, where it means nothing. There the file
    lies in a folder that is made with mode 0700, for which newer Pythons set the access list.

    Args:
        data_dir: The private folder.
        secret: The key.
        os_name: `os.name`.
        python: The version of this Python.

    Returns:
        A sentence where other users of this computer may be able to read the key, else None.

    Raises:
        OSError: The folder cannot be written.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = key_path(data_dir, os_name=os_name)
    if path.parent != data_dir:
        # Made again each time: an older Python may have made it open to all.
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
    fresh = path.with_name(f"{KEY_FILE}.new")
    remove_file(fresh)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret.reveal())
    replace_file(fresh, path)
    if os_name != "nt" or _sets_access_lists(python):
        return None
    return (
        "Other users of this computer may be able to read the stored key: Python "
        f"{'.'.join(map(str, python))} cannot close a folder on Windows. Update it (3.10.15, "
        "3.11.10, 3.12.4, 3.13 and later can), or set FAL_KEY instead."
    )


def forget_key(data_dir: Path) -> None:
    """Remove the stored key, if there is one."""
    remove_file(key_path(data_dir))


def _sets_access_lists(python: tuple[int, int, int]) -> bool:
    """Return whether `os.mkdir(mode=0o700)` is obeyed on Windows (CVE-2024-4030)."""
    major, minor, patch = python
    return patch >= {(3, 10): 15, (3, 11): 10, (3, 12): 4}.get((major, minor), 0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError):
        raise MalformedKeyError("The stored key cannot be read.") from None


def _why(text: str) -> str:
    if not text:
        return "it is empty"
    if not text.isascii() or not text.isprintable():
        return "it has characters no key has"
    if any(character.isspace() for character in text):
        return "it has a space inside"
    return (
        f"it has {text.count(':')} colons and a key has one"
        if text.count(":") != 1
        else ("one side of its colon is empty")
    )
