"""ComfyUI on this machine: its folder, its interpreter, and an environment over its own."""

from __future__ import annotations

import configparser
import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .environments import (
    interpreter_of,
    make_environment,
    pack_requirements,
    python_like,
    read_requirements,
    this_python,
)
from .shell import ROOT, run, say

CLONED = ROOT / "build" / "ComfyUI"
ORIGIN = "https://github.com/comfyanonymous/ComfyUI"
PORTABLE = "python_embeded"
"""The folder of a portable build's interpreter, spelled as ComfyUI spells it."""


@dataclass(frozen=True)
class ComfyUI:
    """A ComfyUI checkout.

    Args:
        path: The folder of main.py.
        python: An interpreter that has ComfyUI's packages, the pack's and what the tests need.
    """

    path: Path
    python: Path


def find_comfyui() -> ComfyUI | None:
    """Return the ComfyUI of this machine; exit with a sentence when it is named but not there."""
    places = [ROOT.parent.parent, Path.home() / "ComfyUI", _comfy_cli_workspace(), CLONED]
    named = os.environ.get("COMFYUI_PATH")
    if named:
        places = [Path(named), Path(named) / "ComfyUI"]
    path = next((place for place in places if (place / "comfy_api").is_dir()), None)
    if path is None and named:
        sys.exit(f"COMFYUI_PATH is {named}, and there is no ComfyUI.")
    return ComfyUI(path, _overlay(_find_interpreter(path))) if path else None


def clone_comfyui() -> ComfyUI:
    """Clone ComfyUI into build/ and install it."""
    say("no ComfyUI found: cloning one into", CLONED, "(minutes and gigabytes, mostly torch)")
    if not shutil.which("git") or run("git", "clone", "--quiet", "--depth", 1, ORIGIN, CLONED):
        sys.exit(f"{ORIGIN} cannot be cloned here: set COMFYUI_PATH to a ComfyUI of yours.")
    requirements = read_requirements(str(CLONED / "requirements.txt"))
    return ComfyUI(
        CLONED, _overlay(make_environment(CLONED / ".venv", requirements, this_python()))
    )


def _find_interpreter(comfyui: Path) -> Path:
    named = os.environ.get("COMFYUI_PYTHON")
    portable = comfyui.parent / PORTABLE
    places = [
        interpreter_of(comfyui / ".venv"),
        interpreter_of(comfyui / "venv"),
        portable / "python.exe",
    ]
    if named:
        places = [Path(named)]
    interpreter = next((place for place in places if place.exists()), None)
    if interpreter is None:
        sys.exit(f"Set COMFYUI_PYTHON to the interpreter that runs {comfyui}; it is not in a venv.")
    return interpreter


def _overlay(interpreter: Path) -> Path:
    """Return a virtual environment over ComfyUI's own, with only what is missing there."""
    name = hashlib.sha256(str(interpreter).encode(errors="surrogateescape")).hexdigest()[:8]
    # The tests of two servers on one ledger need the driver of the `studio` extra as well.
    for_tests = [
        name
        for name in read_requirements("requirements-dev.txt")
        if name.startswith(("pytest", "psycopg"))
    ]
    return make_environment(
        ROOT / f".venv-comfyui-{name}",
        [*pack_requirements(), *for_tests],
        python_like(interpreter),
        over=interpreter,
    )


def _comfy_cli_workspace() -> Path:
    """Return the folder that comfy_cli.constants and workspace_manager name (comfy-cli 1.23)."""
    config, workspace = {
        "win32": ("AppData/Local/comfy-cli", "Documents/comfy/ComfyUI"),
        "darwin": ("Library/Application Support/comfy-cli", "Documents/comfy/ComfyUI"),
    }.get(sys.platform, (".config/comfy-cli", "comfy/ComfyUI"))
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(Path.home() / config / "config.ini", encoding="utf-8")
    return Path(settings["DEFAULT"].get("default_workspace") or Path.home() / workspace)
