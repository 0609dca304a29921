"""One style for the whole tree, and types for what others import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def sources() -> list[Path]:
    folders = ("benchmarks", "local_fal", "nodes", "tests", "vidu")
    nested = (path for folder in folders for path in (ROOT / folder).glob("**/*.py"))
    return sorted([*ROOT.glob("*.py"), *nested])


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "check", "--no-cache", "--isolated", "--select", "S102,S307,E702", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["mypy"],
    ],
    ids=" ".join,
)
def test_the_tree_passes(command):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_is_ascii(path):
    assert path.read_bytes().isascii()
