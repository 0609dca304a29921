"""What the registry, ComfyUI-Manager and comfy-cli read of the pack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {
    "PIL": "pillow",
    "fal_client": "fal-client",
    "certifi": "fal-client",
    "httpx": "fal-client",
    "yaml": "pyyaml",
}
"""The distributions whose import name is another; httpx and certifi come with fal-client."""


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The tree as it is shared: no virtual environments, no output."""
    left_out = shutil.ignore_patterns(".*", "build", "demo_output", "__pycache__", "node_modules")
    return shutil.copytree(ROOT, tmp_path_factory.mktemp("shared") / "vidu-on-fal", ignore=left_out)


def requirements() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def run(command: list[str], cwd: Path, home: Path) -> str:
    """A tool of this interpreter's, at home in an empty folder and telling nobody of it."""
    (home / ".config").mkdir()
    bare = {"HOME": str(home), "USERPROFILE": str(home), "DO_NOT_TRACK": "1", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=os.environ | bare,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_pyproject_and_requirements_list_the_same_packages(project):
    assert requirements() == project["project"]["dependencies"]


def test_dependencies_have_lower_bounds_only():
    for requirement in requirements():
        assert re.fullmatch(r"[a-z-]+>=[\d.]+", requirement)


def test_dependencies_name_all_that_vidu_imports():
    graph = grimp.build_graph("vidu", include_external_packages=True, cache_dir=None)
    external = {name for name in graph.modules if "." not in name} - {"vidu"}
    imported = {DISTRIBUTIONS.get(name, name) for name in external - sys.stdlib_module_names}
    declared = {requirement.partition(">=")[0] for requirement in requirements()}
    # httpx imports socksio when there is a SOCKS proxy.
    assert imported - {"psycopg"} == declared - {"socksio"}
    assert "torch" not in declared


def test_pyproject_name_is_one_the_registry_takes(project):
    name = project["project"]["name"]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert "comfy" not in name
    assert project["tool"]["comfy"]["PublisherId"]
    assert re.fullmatch(r">=\d+\.\d+\.\d+", project["tool"]["comfy"]["requires-comfyui"])
    assert project["project"]["urls"].keys() == {"Repository", "Documentation", "Issues"}


def test_web_is_registered_once(project):
    """By WEB_DIRECTORY alone: with [tool.comfy] web every script would load twice."""
    assert "web" not in project["tool"]["comfy"]


def test_changelog_has_the_version(project):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.escape(project["project"]["version"])
    assert re.search(rf"^## \[{version}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M)


def test_pyproject_names_files_that_exist(project):
    for name in (project["project"]["readme"], project["project"]["license"]["file"]):
        assert (ROOT / name).read_text(encoding="utf-8").strip()


def documentation() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", documentation(), ids=lambda path: path.name)
def test_documentation_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    files = [target for target in targets if not target.startswith("http")]
    assert [target for target in files if not (page.parent / target).exists()] == []


def test_readme_is_for_artists_and_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_platforms_names_tests_and_files_that_exist():
    table = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    named = re.findall(r"\b(?:tests|vidu)/[\w/]+\.py", table)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", ["install.py", "prestartup_script.py", "setup.py"])
def test_pack_runs_nothing_on_installation(name):
    assert not (ROOT / name).exists()


def test_comfy_cli_finds_the_pack_valid(copy, tmp_path):
    said = run(["comfy_cli", "--skip-prompt", "node", "validate"], copy, tmp_path)
    assert "All validation checks passed" in said
    assert "warning" not in said.lower()


def test_comfy_test_finds_no_fault(copy, tmp_path):
    run(["comfy_test", "lint", "--strict", "."], copy, tmp_path)
