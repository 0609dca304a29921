"""dev.py on other machines: an old Python, umlauts, a portable ComfyUI, the py launcher."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.comfyui import _find_interpreter
from tasks.environments import lowest, make_environment, python_like
from tasks.pythons import Python, _launcher_paths, find_pythons

ROOT = Path(__file__).resolve().parents[2]

LAUNCHER_LIST = r"""
 -V:3.13 *        C:\Users\M\AppData\Local\Programs\Python\Python313\python.exe
 -V:Astral/3.12   D:\Some Tools\python.exe
 -3.10-64         C:\Python310\python.exe
"""


def this_python() -> Python:
    """The interpreter of the tests' own virtual environment has the version that is wanted."""
    return Python(Path(sys.executable), sys.version_info[:3])


def old_pythons() -> list[Path]:
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    return sorted(versions.glob("[23].[6-9].*/bin/python"))


def test_dev_py_on_python_3_6_parses():
    source = (ROOT / "dev.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    assert "__future__" not in ast.dump(tree)


@pytest.mark.parametrize("python", old_pythons(), ids=lambda path: path.parts[-3])
def test_dev_py_on_an_old_python_ends_in_a_sentence(python):
    done = subprocess.run([python, ROOT / "dev.py", "demo"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("dev.py needs Python 3.10 or later")
    assert "Traceback" not in done.stderr


def test_make_environment_over_a_path_with_umlauts_sees_its_packages(tmp_path):
    below = tmp_path / "K\u00fcnstler \u6d77" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", below], check=True)
    interpreter = below / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = next(below.glob("[Ll]ib/**/site-packages"))
    (packages / "of_the_other.py").write_text("", encoding="ascii")
    python = make_environment(tmp_path / "venv", [], this_python(), over=interpreter)
    subprocess.run([python, "-c", "import of_the_other"], check=True)
    # What Python 3.12 reads on Windows: the file by the code page, the path by the file system.
    (path_file,) = (tmp_path / "venv").glob("[Ll]ib/**/beneath.pth")
    assert path_file.read_bytes().isascii()


def test_find_interpreter_of_a_portable_build_is_the_embedded_one(portable, monkeypatch):
    monkeypatch.delenv("COMFYUI_PYTHON", raising=False)
    assert _find_interpreter(portable / "ComfyUI") == portable / "python_embeded" / "python.exe"


def test_python_like_a_portable_build_is_another_one_of_its_version(portable):
    embedded = portable / "python_embeded" / "python.exe"
    isolated = [embedded, "-c", "import sys; print(sys.flags.isolated)"]
    assert subprocess.check_output(isolated, text=True) == "1\n"
    found = python_like(embedded)
    assert found.path != embedded
    assert found.version[:2] == sys.version_info[:2]


def test_launcher_paths_of_a_list_are_its_executables(tmp_path):
    launcher = tmp_path / "py"
    launcher.write_text(f"#!{sys.executable}\nprint(r'''{LAUNCHER_LIST}''')\n", encoding="ascii")
    launcher.chmod(0o755)
    assert _launcher_paths(str(launcher)) == [
        r"C:\Users\M\AppData\Local\Programs\Python\Python313\python.exe",
        r"D:\Some Tools\python.exe",
        r"C:\Python310\python.exe",
    ]


def test_find_pythons_returns_each_version_once_the_newest_first():
    versions = [python.version[:2] for python in find_pythons()]
    assert versions == sorted(set(versions), reverse=True)
    assert sys.version_info[:2] in versions


def test_lowest_pins_the_packs_requirements_and_no_others():
    assert lowest(["av>=14.2", "pytest>=8.4"]) == ["av==14.2", "pytest>=8.4"]
