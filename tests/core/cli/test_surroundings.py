"""The command line in surroundings that differ: no home folder, code pages, a closed output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
PROMPT = ("--prompt", "A wave.")

WITHOUT_HOME = """
import os, pwd, sys

def missing(_):
    raise KeyError("uid not found")

pwd.getpwuid = missing
os.environ.pop("HOME", None)
from vidu.__main__ import main
sys.exit(main())
"""
"""A container that runs a bare user id: no HOME, and no line in /etc/passwd."""

CLOSED_AS_ON_WINDOWS = """
import errno, io, sys

class Closed(io.StringIO):
    def flush(self):
        raise OSError(errno.EINVAL, "Invalid argument")

sys.stdout = Closed()
from vidu.cli import _main
_main._discard_output = lambda: setattr(sys, "stdout", None)
sys.exit(_main.main())
"""


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "\u6d77 Stra\xdfe \U0001f30a.png"
    Image.new("RGB", (64, 48), "navy").save(path)
    return path


def python(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    bare = {name: value for name, value in os.environ.items() if name != "VIDU_HOME"}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=bare | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="pwd is POSIX; Windows always has a profile")
@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--help"], {}), (["ledger", "--home", "{home}"], {}), (["ledger"], {"VIDU_HOME": "{home}"})],
)
def test_command_without_a_home_folder_works_where_a_folder_is_named(
    arguments, environment, tmp_path
):
    home = str(tmp_path / "home")
    named = {name: value.format(home=home) for name, value in environment.items()}
    done = python(WITHOUT_HOME, *(word.format(home=home) for word in arguments), **named)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pwd is POSIX; Windows always has a profile")
def test_command_without_a_home_folder_says_so_where_none_is_named(tmp_path):
    done = python(WITHOUT_HOME, "ledger")
    assert done.returncode == 2
    assert done.stderr.startswith("error: This user has no home folder")
    assert "VIDU_HOME" in done.stderr
    assert not Path("~").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp932", "ascii"])
def test_paths_survive_in_json_whatever_the_encoding_of_the_pipe(
    encoding, shell, swift_fal, image, clips
):
    code_page = {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    done = shell("generate", image, *PROMPT, "--draft", "--out", clips, "--json", **code_page)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["file_path"]).stem == f"{image.stem}_00001"
    again = shell("generate", image, *PROMPT, "--draft", "--out", clips, **code_page)
    assert (again.returncode, again.stdout.count("\n")) == (0, 1), again.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "cp932", "ascii"])
def test_manifest_and_ledger_are_printed_in_each_encoding(
    encoding, shell, swift_fal, image, tmp_path
):
    manifest = tmp_path / "shots.csv"
    manifest.write_text(f"image,prompt\n{image.name},\u6ce2 \u20ac\n", encoding="utf-8")
    code_page = {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    done = shell("batch", manifest, "--out", tmp_path, "--json", **code_page)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prompt"] == "\u6ce2 \u20ac"
    assert shell("ledger", **code_page).returncode == 0
    (row,) = shell("ledger", "--json", **code_page).stdout.splitlines()
    assert json.loads(row)["prompt"] == "\u6ce2 \u20ac"


def test_closed_output_of_windows_ends_without_a_traceback(tmp_path):
    done = python(CLOSED_AS_ON_WINDOWS, "models", VIDU_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
