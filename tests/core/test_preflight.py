"""The packages that a clip needs: missing, broken and too old ones are named before paying."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from vidu.errors import Charge, DependencyError
from vidu.preflight import PACKAGES, Package, check_packages

ROOT = Path(__file__).resolve().parents[2]


def test_check_packages_here_finds_nothing():
    check_packages()


def test_packages_minimums_are_those_of_requirements_txt():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    required = dict(line.split(">=") for line in lines if ">=" in line and line[0] != "#")
    assert {package.name: package.minimum for package in PACKAGES}.items() <= required.items()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a module of this text where Python finds it."""

    def install(text: str) -> Package:
        (tmp_path / "needed_by_vidu.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "needed_by_vidu", raising=False)
        return Package("needed-by-vidu", "needed_by_vidu", "10.1")

    return install


def refusal(package: Package) -> str:
    with pytest.raises(DependencyError) as caught:
        check_packages([package])
    assert caught.value.charge is Charge.NOT_SPENT
    assert sys.executable in caught.value.next_step
    assert '-m pip install -U "needed-by-vidu>=10.1"' in caught.value.next_step
    return str(caught.value)


def test_check_packages_missing_package_is_named():
    assert "needed-by-vidu is not installed" in refusal(
        Package("needed-by-vidu", "needed_by_vidu", "10.1")
    )


@pytest.mark.parametrize(
    "text",
    [
        "raise ImportError('DLL load failed while importing _core')",
        "raise OSError('libavcodec.so.61: cannot open shared object file')",
        "import needed_by_needed",
        "raise AttributeError('half installed')",
    ],
)
def test_check_packages_broken_package_is_named_with_its_error(install, text):
    words = refusal(install(text))
    assert "needed-by-vidu does not load" in words
    assert re.search("DLL|libavcodec|needed_by_needed|half installed", words)


@pytest.mark.parametrize("version", ["10.0", "10.0.9", "9.12.1", "10.1", "10.1.0", "10.1rc1", "11"])
def test_check_packages_old_package_is_named_with_both_versions(install, version):
    package = install(f"__version__ = {version!r}")
    if version.startswith(("10.0", "9")):
        assert f"needed-by-vidu is {version}, and 10.1 is needed" in refusal(package)
    else:
        check_packages([package])


def test_check_packages_for_a_draft_passes_over_what_only_fal_needs(install):
    broken = install("raise ImportError")
    live_only = Package(broken.name, broken.module, broken.minimum, draft=False)
    check_packages([live_only], draft=True)
    with pytest.raises(DependencyError):
        check_packages([live_only])
