"""The README's Python example, word for word: as a plain script, and in a running event loop."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import vidu

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(import asyncio\nfrom vidu .*?)```", README, re.S)

# A notebook's cell: compiled with top-level await, and run by a loop that is running already.
NOTEBOOK = """
import ast, asyncio, sys
from inspect import CO_COROUTINE
code = compile(sys.stdin.read(), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
async def kernel():
    cell = type(kernel)(code, {"__name__": "__main__"})()
    assert code.co_flags & CO_COROUTINE
    await cell
asyncio.run(kernel())
"""


@pytest.fixture
def run(swift_fal, vidu_home, tmp_path):
    """Runs a script in an empty folder with the README's image in it."""
    Image.new("RGB", (64, 48), "navy").save(tmp_path / "lighthouse.png")

    def run(*command: str, stdin: str = "") -> str:
        ours = {"VIDU_HOME": str(vidu_home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=os.environ | swift_fal.environment | ours,
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_it_has_ten_lines():
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) == 10


def test_it_is_what_the_package_says_of_itself():
    assert EXAMPLE.strip() in inspect.cleandoc(vidu.__doc__).replace("\n    ", "\n")


def test_it_runs_as_a_script_and_pays_once(run, swift_fal, tmp_path):
    clip = str(tmp_path / "clips" / "lighthouse_00001.mp4")
    assert run("-c", EXAMPLE) == clip
    assert run("-c", EXAMPLE) == clip
    assert vidu.media.video.check(Path(clip)).frame_count == 4
    assert swift_fal.ledger()["counts"]["jobs"] == 1


def test_it_runs_in_a_notebook(run, tmp_path):
    in_a_cell = "print((await make(shot)).path)"
    assert (
        "print(asyncio.run(make(shot)).path)  # in a notebook: (await make(shot)).path" in EXAMPLE
    )
    cell = re.sub(r"print\(asyncio\.run.*", in_a_cell, EXAMPLE)
    assert run("-c", NOTEBOOK, stdin=cell) == str(tmp_path / "clips" / "lighthouse_00001.mp4")


def test_it_is_typed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(EXAMPLE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
