"""Virtual environments beside the code, and what is installed in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .pythons import Python, find_pythons
from .shell import ROOT, run, say

PRINT_PACKAGES = """
import os, sys, sysconfig
sys.stdout.buffer.write(os.fsencode(sysconfig.get_path("purelib")))
"""


def read_requirements(file: str) -> list[str]:
    """Return the requirements of a file and of those it names with -r."""
    found: list[str] = []
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += read_requirements(text[3:])
        elif text:
            found.append(text)
    return found


def pack_requirements() -> list[str]:
    """Return the pack's requirements and local_fal's."""
    return [
        *read_requirements("requirements.txt"),
        *read_requirements("local_fal/requirements.txt"),
    ]


def lowest(requirements: list[str]) -> list[str]:
    """Return the requirements, those of requirements.txt at the version of their lower bound."""
    pack = set(read_requirements("requirements.txt"))
    return [name.replace(">=", "==") if name in pack else name for name in requirements]


def this_python() -> Python:
    """Return the interpreter that runs dev.py."""
    return Python(Path(sys.executable), sys.version_info[:3])


def make_environment(
    folder: Path, requirements: list[str], python: Python, over: Path | None = None
) -> Path:
    """Return the interpreter of a virtual environment that has the requirements.

    Args:
        folder: Where it is; made when missing.
        requirements: As pip takes them; installed when they are not there yet.
        python: What it is made of.
        over: Another interpreter, whose packages it sees too and leaves as they are.
    """
    interpreter = interpreter_of(folder)
    if not interpreter.exists():
        _create(folder, python, over)
    stamp = folder / "installed.txt"
    installed = stamp.read_text(encoding="utf-8").splitlines() if stamp.exists() else []
    if set(requirements) <= set(installed):
        return interpreter
    say(f"installing into {folder.name}, once:", *requirements)
    pip = (interpreter, "-m", "pip", "install", "-qq", "--disable-pip-version-check")
    if run(*pip, *requirements):
        sys.exit(f"pip could not install the requirements into {folder}.")
    stamp.write_text("\n".join(requirements), encoding="utf-8")
    return interpreter


def _create(folder: Path, python: Python, over: Path | None) -> None:
    say(f"making {folder.name} of Python {python.name}")
    if run(python.path, "-m", "venv", "--clear", folder):
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(
            f"{python.path} cannot make a virtual environment. "
            "On Debian and Ubuntu, install the package python3-venv."
        )
    if over:
        # site decodes a .pth file by the locale up to Python 3.12, so an umlaut in the path is
        # escaped and the file is ASCII.
        line = f"import site; site.addsitedir({packages_of(over)!a})\n"
        beneath = Path(packages_of(interpreter_of(folder)), "beneath.pth")
        beneath.write_text(line, encoding="ascii")


def interpreter_of(folder: Path) -> Path:
    """Return where a virtual environment has its interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def packages_of(interpreter: Path) -> str:
    """Return the site-packages folder of an interpreter."""
    # Written as bytes: a pipe on Windows has the console's code page.
    return os.fsdecode(subprocess.check_output([str(interpreter), "-c", PRINT_PACKAGES]))


def python_like(interpreter: Path) -> Python:
    """Return an interpreter of the same version that can make virtual environments.

    A portable ComfyUI's Python cannot: it comes without venv and ensurepip. Its packages work in
    any Python of the same minor version.
    """
    script = "import sys; print(*sys.version_info[:2], sep='.')"
    version = subprocess.check_output([str(interpreter), "-c", script], text=True).strip()
    probe = [str(interpreter), "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True).returncode == 0:
        major, minor = version.split(".")
        return Python(interpreter, (int(major), int(minor), 0))
    for python in find_pythons():
        if python.name == version:
            return python
    sys.exit(
        f"{interpreter} cannot make virtual environments, and there is no other Python {version} "
        f"here. Install Python {version}, then run this again."
    )
