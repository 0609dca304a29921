"""The checks before the tests: ruff, mypy, import-linter."""

from __future__ import annotations

from pathlib import Path

from .local import environment_variables
from .steps import Step

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    # The registry refuses exec, eval and semicolons, whatever a noqa says.
    ("ruff", "check", "--isolated", "--ignore-noqa", "--select", "S102,S307,E702", "."),
    ("mypy",),
    ("lint-imports",),
)

FIND_NON_ASCII = """
import pathlib, subprocess, sys
listed = subprocess.check_output(["git", "ls-files", "-z", "*.py"]).decode().split("\\0")
names = [name for name in listed if name and not pathlib.Path(name).read_bytes().isascii()]
sys.exit("not ASCII: " + ", ".join(names) if names else 0)
"""

CHECK_NODES = """
import os, pathlib, subprocess, sys, tempfile
root = pathlib.Path.cwd()
with tempfile.TemporaryDirectory() as folder:  # the pack is a package only under another name
    pathlib.Path(folder, "vidu_on_fal").symlink_to(root, target_is_directory=True)
    fakes = str(root / "tests" / "support" / "comfyui")
    environment = os.environ | {"MYPYPATH": os.pathsep.join([folder, fakes])}
    command = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases"]
    command += ["-p", "vidu_on_fal.nodes"]
    sys.exit(subprocess.run(command, cwd=folder, env=environment).returncode)
"""


def check_steps(python: Path) -> list[Step]:
    """Return the checks of the whole tree, with the tools of an interpreter."""
    variables = environment_variables()
    steps = [
        Step(" ".join(command), (python.with_name(command[0]), *command[1:]), variables)
        for command in CHECKS
    ]
    ascii_only = (python, "-c", FIND_NON_ASCII)
    nodes = (python, "-c", CHECK_NODES)
    return [
        *steps,
        Step("mypy over nodes", nodes, variables),
        Step("Python files are ASCII", ascii_only, variables),
    ]
