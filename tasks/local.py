"""The parts that the demo, the tests and a local ComfyUI share: variables, folders, local_fal."""

from __future__ import annotations

import os
from pathlib import Path

from .comfyui import ComfyUI
from .environments import make_environment, pack_requirements, read_requirements, this_python
from .pythons import Python
from .shell import ROOT

OUTPUT = ROOT / "demo_output"
EXAMPLE = ROOT / "example_workflows" / "lighthouse.png"


def local_python() -> Path:
    """Return an interpreter with the pack's requirements and local_fal's, made of this Python."""
    python = this_python()
    return make_environment(ROOT / f".venv-{python.name}", pack_requirements(), python)


def developer_python(python: Python) -> Path:
    """Return an interpreter that has the tools and the tests' requirements too."""
    requirements = [*pack_requirements(), *read_requirements("requirements-dev.txt")]
    return make_environment(ROOT / f".venv-{python.name}", requirements, python)


def behind_local_fal(python: Path, *command: object) -> list[str]:
    """Return the command line that runs a command with a local fal before it."""
    local_fal = (python, "-m", "local_fal", "--generation-seconds", 3, "--exec")
    return [str(part) for part in (*local_fal, *command)]


def environment_variables(comfyui: ComfyUI | None = None) -> dict[str, str]:
    """Return this process's, without its key and settings, the ledger beside the demo's clips."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FAL_", "VIDU_"))}
    ours = {"VIDU_HOME": str(OUTPUT / ".vidu"), "PYTHONUNBUFFERED": "1"}
    if comfyui is None:
        return kept | ours
    paths = {"COMFYUI_PATH": str(comfyui.path), "COMFYUI_PYTHON": str(comfyui.python)}
    return kept | ours | paths
