"""The command line where it is installed, and where it is only a folder in custom_nodes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.environments import make_environment
from tasks.pythons import Python

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "example_workflows" / "lighthouse.png"
PRINT_COMMAND = """
import sys
sys.path.insert(0, sys.argv[1])
from vidu.command_line import command_line
print(command_line(*sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The interpreter of an environment that the pack was installed into with pip."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "vidu-on-fal"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        source.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "vidu", source / "vidu")
    this = Python(Path(sys.executable), sys.version_info[:3])
    python = make_environment(folder / "venv", [], this, over=Path(sys.executable))
    pip = [python, "-m", "pip", "install", "-qq", "--no-deps", "--no-build-isolation", source]
    subprocess.run(pip, check=True)
    shutil.rmtree(source)
    return python


def run_in(folder: Path, command: object, **options: object) -> str:
    """What a command prints in a folder, without a PYTHONPATH."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    home = {"VIDU_HOME": str(folder / "vidu_home")}
    done = subprocess.run(
        command, cwd=folder, env=bare | home, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_vidu_installed_makes_a_draft_in_any_folder(installed, tmp_path):
    vidu = installed.with_name("vidu")
    made = run_in(tmp_path, [vidu, "generate", IMAGE, "--prompt", "A wave.", "--draft", "--json"])
    assert Path(json.loads(made)["file_path"]).parent == tmp_path


def test_vidu_installed_has_its_types(installed, tmp_path):
    where = (
        "import pathlib, vidu; print(pathlib.Path(vidu.__file__).with_name('py.typed').exists())"
    )
    assert run_in(tmp_path, [installed, "-c", where]) == "True\n"


def test_command_line_installed_and_on_path_is_vidu(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(installed.parent), prepend=os.pathsep)
    script = "from vidu.command_line import command_line; print(command_line('ledger', '--json'))"
    command = run_in(tmp_path, [installed, "-c", script]).strip()
    assert command == "vidu ledger --json"
    assert run_in(tmp_path, command, shell=True) == ""


def test_command_line_installed_and_not_on_path_names_the_interpreter(installed, tmp_path):
    script = "from vidu.command_line import command_line; print(command_line('ledger', '--json'))"
    command = run_in(tmp_path, [installed, "-c", script]).strip()
    assert command == f"{installed} -m vidu ledger --json"
    assert run_in(tmp_path, command, shell=True) == ""


def test_command_line_of_a_folder_works_anywhere(tmp_path):
    command = run_in(tmp_path, [sys.executable, "-c", PRINT_COMMAND, ROOT, "ledger", "--json"])
    assert command.strip() == f"{sys.executable} {ROOT / 'vidu'} ledger --json"
    assert run_in(tmp_path, command, shell=True) == ""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a ._pth isolates on POSIX since 3.11")
def test_command_line_of_a_portable_comfyui_works_in_its_isolated_python(portable, tmp_path):
    embedded = portable / "python_embeded" / "python.exe"
    by_name = subprocess.run([embedded, "-m", "vidu", "--help"], cwd=ROOT, capture_output=True)
    assert by_name.returncode != 0, "an isolated interpreter does not see the working directory"
    command = run_in(tmp_path, [embedded, "-c", PRINT_COMMAND, ROOT, "ledger", "--json"])
    assert command.strip() == f"{embedded} {ROOT / 'vidu'} ledger --json"
    assert run_in(tmp_path, command, shell=True) == ""
