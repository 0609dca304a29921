"""Who imports whom: read from the source, so that an arrow in the wrong direction fails here."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HOST = {
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "execution",
    "folder_paths",
    "server",
    "torch",
}

# The rooms of vidu, a floor a line: a room knows only those on the floors beneath its own.
FLOORS = (
    {"__main__"},
    {"commands"},
    {"__init__"},
    {"library"},
    {"desk", "generate"},
    {"watch"},
    {"fetch", "submit"},
    {"budget", "draft", "fal", "ledger_merge", "run"},
    {"download", "ledger", "manifest"},
    {"listing", "platform", "shot_list", "storage"},
    {"receipts", "wire"},
    {"contact_sheet", "database", "poster", "replies", "request"},
    {"clip", "still"},
    {
        "camera",
        "colour",
        "orientation",
        "credentials",
        "entry",
        "keep",
        "ledger_file",
        "png",
        "progress",
    }
    | {"retry", "safe_url", "settings", "threads"},
    {"turn"},
    {"errors"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# Distributions whose import name is another, and what comes along with one that is declared.
DISTRIBUTION = {
    "PIL": "pillow",
    "fal_client": "fal-client",
    "httpx": "fal-client",
    "yaml": "pyyaml",
}


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, in full: `from .errors import X` in vidu is `vidu.errors`."""
    package = ".".join(("pack", *path.relative_to(ROOT).parent.parts))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            whole = [module] if node.module else [f"{module}.{item.name}" for item in node.names]
            yield from (name.removeprefix("pack.") for name in whole)


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def absolute(path: Path) -> set[str]:
    """The packages a file imports by their whole name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).glob("**/*.py"))
    assert found, f"{package} holds no Python file"
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", files("vidu"), ids=named)
def test_vidu_knows_nothing_of_the_host(path):
    assert not tops(path) & (HOST | {"nodes", "local_fal"})


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "vidu").parts[0].removesuffix(".py")


def test_every_room_of_vidu_has_its_floor():
    assert {room_of(path) for path in files("vidu")} == FLOOR_OF.keys()


@pytest.mark.parametrize("path", files("vidu"), ids=named)
def test_inside_vidu_imports_are_relative_and_point_downwards(path):
    assert "vidu" not in absolute(path)
    rooms = {name.split(".")[1] for name in imports(path) if name.startswith("vidu.")}
    here = room_of(path)
    assert not {room for room in rooms - {here} if FLOOR_OF[room] <= FLOOR_OF[here]}


@pytest.mark.parametrize("path", files("local_fal"), ids=named)
def test_local_fal_knows_only_the_draft_of_vidu(path):
    ours = {name for name in imports(path) if name.startswith("vidu")}
    assert ours <= {"vidu.draft"}
    assert not tops(path) & (HOST | {"nodes"})


@pytest.mark.parametrize("path", files("nodes"), ids=named)
def test_only_the_seam_knows_the_host(path):
    assert "local_fal" not in tops(path)
    if path.name != "host.py":
        assert not tops(path) & HOST


def test_the_root_imports_only_the_nodes():
    assert {name for name in imports(ROOT / "__init__.py") if name != "__future__"} <= {"nodes"}


@pytest.mark.parametrize("path", files("vidu") + files("nodes"), ids=named)
def test_what_is_imported_is_declared(path):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    declared = {re.match(r"[\w-]*", line)[0] for line in lines if line[:1].isalpha()}
    # ComfyUI is there wherever the nodes are, and its own web server with it.
    given = HOST | {"aiohttp", "nodes", "vidu"} if path.is_relative_to(ROOT / "nodes") else {"vidu"}
    foreign = {DISTRIBUTION.get(name, name) for name in tops(path) - given}
    assert foreign - set(sys.stdlib_module_names) <= declared
