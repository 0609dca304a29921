"""The Python example of the documentation, word for word: as a script and in an event loop."""

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
from vidu.media.video import check

from ..support.media import video_medium, voice_medium

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTATION = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"```python\n(import asyncio\nfrom vidu .*?)```", DOCUMENTATION, re.S)

(REQUESTS,) = re.findall(r"```python\n(from vidu import extend_video.*?)```", DOCUMENTATION, re.S)

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
    """Runs a script in an empty folder with the example's image in it."""
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


def test_python_example_is_the_docstring_of_the_package():
    assert EXAMPLE.strip() in inspect.cleandoc(vidu.__doc__).replace("\n    ", "\n")


def test_python_example_as_a_script_pays_once(run, swift_fal, tmp_path):
    clip = str(tmp_path / "clips" / "lighthouse_00001.mp4")
    assert run("-c", EXAMPLE) == clip
    assert run("-c", EXAMPLE) == clip
    assert check(Path(clip)).frame_count == 4
    assert swift_fal.ledger()["counts"]["jobs"] == 1


def test_python_example_in_a_notebook_saves_the_clip(run, tmp_path):
    in_a_cell = "print((await make(shot)).path)"
    assert (
        "print(asyncio.run(make(shot)).path)  # in a notebook: (await make(shot)).path" in EXAMPLE
    )
    cell = re.sub(r"print\(asyncio\.run.*", in_a_cell, EXAMPLE)
    assert run("-c", NOTEBOOK, stdin=cell) == str(tmp_path / "clips" / "lighthouse_00001.mp4")


def test_python_requests_of_videos_and_voices_are_built_from_files(run, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "lighthouse_00001.mp4").write_bytes(video_medium().data)
    (tmp_path / "keeper.wav").write_bytes(voice_medium().data)
    Image.new("RGB", (64, 48), "navy").save(tmp_path / "keeper.png")
    shown = run("-c", REQUESTS + "print(longer.endpoint.id, longer.price)\nprint(spoken.price)")
    assert shown.splitlines() == ["fal-ai/vidu/q2/video-extension/pro 0.8250", "0.475"]
