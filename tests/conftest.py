"""The base of every test: the packages importable, and an environment without a key."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("vidu", "local_fal", "tasks")
SCRUBBED = ("FAL_", "VIDU_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_")


class PackageFinder:
    """Finds the packages that live at the root, and nothing else there.

    With the root itself on sys.path our `nodes` would shadow ComfyUI's.
    """

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in PACKAGES:
            return None
        home = ROOT / name
        return spec_from_file_location(
            name, home / "__init__.py", submodule_search_locations=[str(home)]
        )


# `python -m pytest` puts the working directory on the path.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
# What the tests share is imported by its bare name, as the scripts they start do.
sys.path.append(str(ROOT / "tests" / "support"))
sys.meta_path.insert(0, PackageFinder)

# What needs a ComfyUI, and what needs its very interpreter. dev.py gives them both, and says so
# aloud where there is none.
collect_ignore = [
    *(() if "COMFYUI_PATH" in os.environ else ("server", "browser")),
    *(() if "COMFYUI_PATH" in os.environ and find_spec("torch") else ("host",)),
]


def pytest_report_header() -> list[str]:
    return [f"not in this run: tests/{name} (dev.py runs all of them)" for name in collect_ignore]


@pytest.fixture(scope="session", autouse=True)
def bare_environment(tmp_path_factory):
    """No key, setting, proxy or ledger of whoever runs the tests reaches one of them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith(SCRUBBED):
                patch.delenv(name)
        patch.setenv("VIDU_HOME", str(tmp_path_factory.mktemp("vidu_home")))
        yield


@pytest.fixture(autouse=True)
def vidu_home(tmp_path, monkeypatch) -> Path:
    """A ledger and settings of the test's own."""
    home = tmp_path / "vidu_home"
    monkeypatch.setenv("VIDU_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own."""
    from postgres_server import running_postgres  # most tests need neither it nor its driver

    with running_postgres() as server:
        yield server


@pytest.fixture
def shared_ledger(postgres, monkeypatch) -> PostgresServer:
    """An empty server, to which VIDU_LEDGER leads this process and its children."""
    postgres.clear()
    monkeypatch.setenv("VIDU_LEDGER", postgres.url)
    return postgres
