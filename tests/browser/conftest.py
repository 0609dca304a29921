"""A real Chromium on a real ComfyUI with local_fal behind it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, sync_playwright

import local_fal
from vidu.ledger.sqlite_file import open_file

from ..server.conftest import COMFYUI, HOME, Comfy, comfy, other_nodes
from ..server.conftest import base as bare_base
from .editor import Editor

__all__ = ["bare_base", "comfy", "other_nodes"]

PLACES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge", "chrome.exe")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PLACES)), None)
QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic"]
MODES = {"classic": False, "nodes_2": True}


def pytest_collection_modifyitems(items):
    if CHROMIUM:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="there is no Chromium"))


def pytest_terminal_summary(terminalreporter):
    if not CHROMIUM:
        terminalreporter.write_line(
            "!! NO CHROMIUM FOUND (set CHROMIUM to one): THE TESTS IN tests/browser DID NOT RUN."
        )


@dataclass(frozen=True)
class WithoutKey:
    """The way to a local fal; the key is yet to be given."""

    environment: dict[str, str]


@pytest.fixture(scope="session")
def local(bare_environment) -> Iterator[local_fal.LocalFal]:
    size = {"clip_size": (480, 480), "clip_frames": 48}
    with local_fal.running(generation_seconds=1, **size) as fal:
        yield fal


@pytest.fixture(scope="session")
def shared_fal(local) -> WithoutKey:
    return WithoutKey({k: v for k, v in local.environment.items() if k != "FAL_KEY"})


@pytest.fixture
def fal(local) -> Iterator[local_fal.LocalFal]:
    """The local fal with nothing asked of it yet, and no fault set before or after the test."""
    local.reset()
    yield local
    local.set_faults("")


@pytest.fixture(scope="session")
def base(bare_base) -> Path:
    """ComfyUI's own example image is at hand, as it is wherever ComfyUI is installed."""
    shutil.copy(COMFYUI / "input" / "example.png", bare_base / "input")
    return bare_base


def emptied(base: Path, comfy: Comfy) -> Path:
    """The pack's private folder, with neither key, clip nor setting in it."""
    forget_runs(comfy)
    folder = base / "user" / "__fal_vidu"
    folder.mkdir(parents=True, exist_ok=True)
    opening = folder / "ledger.sqlite.opening"
    # The open page asks for the library at any moment. Without the lock, the server could find the
    # file gone while its journal, or the note that it has paid, is still there.
    with FileLock(opening):
        for path in folder.glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path != opening:
                path.unlink(missing_ok=True)
        shutil.rmtree(base / HOME / "ledgers", ignore_errors=True)
    return folder


def forget_runs(comfy: Comfy) -> None:
    """Has the host forget what earlier runs gave, so that the next one really runs.

    It forgets after the next prompt, or when it has none for a while; here it is given one.
    """
    comfy.http.post("/free", json={"free_memory": True}).raise_for_status()
    comfy.run({"1": {"class_type": "PreviewAny", "inputs": {"source": ""}}})


@pytest.fixture
def private(base, comfy) -> Path:
    return emptied(base, comfy)


@pytest.fixture
def key(private, local) -> str:
    """The key, stored as Settings > Vidu stores it."""
    (private / "fal_key").write_text(local.key, encoding="ascii")
    return local.key


@pytest.fixture
def many_clips(private) -> None:
    """Ten thousand rows, none of which has a file."""
    db = open_file(private / "ledger.sqlite")
    row = """INSERT INTO entries (fingerprint, endpoint, state, prompt, seed, options,
        price_micro_usd, reserved_at, revision, search_text) VALUES (?,
        'fal-ai/vidu/image-to-video', 'failed', ?, 1, '{"movement_amplitude": "auto"}', 200000,
        ?, 1, ?)"""
    prompt = "Clip number {}. <img src=x onerror=alert(1)>"
    db.execute("BEGIN")
    texts = ((n, prompt.format(n)) for n in range(1, 10_001))
    db.executemany(row, ((f"{n:064x}", text, 1.7e9 + n, text.casefold()) for n, text in texts))
    db.execute("COMMIT")
    db.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*QUIET, "--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def page(chromium, comfy) -> Iterator[Editor]:
    """One page for all tests; opening one takes longer than most of what is done in it."""
    with chromium.new_context(viewport={"width": 1600, "height": 1000}) as context:
        editor = Editor(context.new_page(), comfy.url)
        editor.open()
        yield editor


@pytest.fixture
def editor(page, private) -> Iterator[Editor]:
    """The editor in its classic rendering, with nothing on the canvas."""
    page.tidy(nodes_2=False)
    yield page
    page.settle()


@pytest.fixture(params=MODES.values(), ids=MODES)
def editor_in_both(request, page, private) -> Iterator[Editor]:
    """The editor in its classic rendering, and in Nodes 2.0."""
    page.tidy(nodes_2=request.param)
    yield page
    page.settle()
