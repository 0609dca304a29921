from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import vidu

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("av", "fal_client", "httpx", "torch")


def python(script: str) -> str:
    """What a fresh interpreter prints that finds the package as an installed one."""
    path = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", path + script], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", vidu.__all__)
def test_each_name_resolves(name):
    assert getattr(vidu, name) is not None


def test_names_are_listed_once():
    assert len(vidu.__all__) == len(set(vidu.__all__))


def test_everything_comes_with_a_star():
    assert python("from vidu import *\nprint(Fal.__name__, Draft.__name__)") == "Fal Draft"


def test_importing_the_package_is_light():
    assert python(f"import vidu\nprint(sorted(set({HEAVY}) & set(sys.modules)))") == "[]"


def test_draft_needs_no_network_library():
    assert python("import vidu\nvidu.Draft\nprint({'httpx', 'fal_client'} & set(sys.modules))") == (
        "set()"
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'vidu' has no attribute 'Foo'"):
        vidu.Foo  # noqa: B018


def test_type_checkers_see_what_is_loaded_late(tmp_path):
    caller = tmp_path / "caller.py"
    caller.write_text(
        "import vidu\nreveal_type(vidu.Fal)\nreveal_type(vidu.Draft)\nreveal_type(vidu.generate)\n"
    )
    command = [sys.executable, "-m", "mypy", caller]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "vidu.fal.client.Fal" in done.stdout
    assert "vidu.draft.client.Draft" in done.stdout
    assert "vidu.generate.Clip" in done.stdout
