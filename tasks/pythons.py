"""The Python interpreters of this machine: on PATH, of pyenv, of the py launcher."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = ((3, 10), (3, 11), (3, 12), (3, 13))

DESCRIBE = """
import ensurepip, sys, venv
print(*sys.version_info[:3], sys.flags.isolated, sys._base_executable)
"""
"""Fails where no virtual environment can be made, as with Debian's Python without python3-venv."""


@dataclass(frozen=True)
class Python:
    """An interpreter that can make virtual environments.

    Args:
        path: The executable.
        version: Major, minor and micro.
    """

    path: Path
    version: tuple[int, int, int]

    @property
    def name(self) -> str:
        """Its major and minor version, such as `3.12`."""
        return f"{self.version[0]}.{self.version[1]}"


def find_pythons() -> list[Python]:
    """Return one interpreter for each supported version found, the newest first."""
    candidates = dict.fromkeys(filter(None, _candidates()))
    with ThreadPoolExecutor() as pool:
        described = list(pool.map(_describe, candidates))
    newest: dict[tuple[int, int], Python] = {}
    for python in described:
        if python is None or python.version[:2] not in SUPPORTED:
            continue
        known = newest.setdefault(python.version[:2], python)
        if python.version > known.version:
            newest[python.version[:2]] = python
    return [newest[version] for version in sorted(newest, reverse=True)]


def _candidates() -> Iterator[str | None]:
    yield sys.executable
    for major, minor in SUPPORTED:
        yield shutil.which(f"python{major}.{minor}")
    yield shutil.which("python3")
    yield shutil.which("python")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    executable = "python.exe" if os.name == "nt" else "bin/python"
    for folder in (pyenv / "versions", pyenv / "pyenv-win" / "versions"):
        yield from (str(path) for path in sorted(folder.glob(f"*/{executable}")))
    yield from _launcher_paths(shutil.which("py"))


def _launcher_paths(launcher: str | None) -> list[str]:
    """Return the interpreters that Windows' py launcher lists, one a line, each path last."""
    if launcher is None:
        return []
    listed = subprocess.run([launcher, "-0p"], capture_output=True, text=True, errors="replace")
    return re.findall(r"^\s*-\S+\s+(?:\*\s+)?(\S.*\S)\s*$", listed.stdout, re.MULTILINE)


def _describe(path: str) -> Python | None:
    try:
        described = subprocess.run([path, "-c", DESCRIBE], capture_output=True, text=True)
    except OSError:
        return None
    words = described.stdout.strip().split(maxsplit=4)
    if described.returncode or len(words) != 5 or words[3] != "0":
        return None
    version = (int(words[0]), int(words[1]), int(words[2]))
    return Python(Path(words[4]), version)
