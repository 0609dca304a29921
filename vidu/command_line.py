"""Shell commands of this pack that work where they are read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

DISTRIBUTION = "vidu-on-fal"
PACKAGE = Path(__file__).absolute().parent


def command_line(*arguments: object) -> str:
    """Return the shell command that runs the pack's command line with these arguments here.

    Installed, it is `vidu`. In ComfyUI's custom_nodes it is ComfyUI's own interpreter and this
    folder, which needs no installation, no working directory and no PYTHONPATH: the interpreter
    of a portable ComfyUI is isolated and ignores all three.
    """
    words = [*_program(), *map(str, arguments)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def pip_command(name: str, minimum: str) -> str:
    """Return the shell command that installs a package into the running Python.

    Args:
        name: What pip calls the package.
        minimum: The oldest version that will do.
    """
    options = ["-s"] if sys.flags.no_user_site else []  # as portable ComfyUI starts it
    words = [sys.executable, *options, "-m", "pip", "install", "-U"]
    command = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return f'{command} "{name}>={minimum}"'


def _program() -> tuple[str, ...]:
    if not _is_installed():
        return sys.executable, str(PACKAGE)
    script = shutil.which("vidu")
    scripts = Path(sysconfig.get_path("scripts")).resolve()
    if script and Path(script).resolve().parent == scripts:
        return ("vidu",)
    return sys.executable, "-m", "vidu"


def _is_installed() -> bool:
    """Return whether this very package is the one that pip installed for this interpreter."""
    try:
        installed = Path(str(distribution(DISTRIBUTION).locate_file("vidu")))
    except PackageNotFoundError:
        return False
    return installed.resolve() == PACKAGE.resolve()
