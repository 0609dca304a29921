"""The public names of the package: few, resolvable, and light to import."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import vidu
from vidu import errors

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
def test_public_name_resolves(name):
    assert getattr(vidu, name) is not None


def test_public_names_are_few_sorted_and_listed_once():
    assert list(vidu.__all__) == sorted(set(vidu.__all__))
    assert len(vidu.__all__) <= 20


def test_import_of_the_package_is_light():
    assert python(f"import vidu\nprint(sorted(set({HEAVY}) & set(sys.modules)))") == "[]"


def test_import_of_draft_needs_no_network_library():
    script = "import vidu.draft.client\nprint({'httpx', 'fal_client'} & set(sys.modules))"
    assert python(script) == "set()"


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'vidu' has no attribute 'Foo'"):
        vidu.Foo  # noqa: B018


def test_error_pickled_comes_back_by_its_public_name():
    error = errors.MissingKeyError("There is no fal key.")
    assert type(error).__module__ == "vidu"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
