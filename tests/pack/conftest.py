"""A portable ComfyUI, imitated: its Python is isolated by a ._pth file and has no venv."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

import pytest


@pytest.fixture
def portable(tmp_path) -> Path:
    """A folder with ComfyUI and python_embeded, whose interpreter sees this one's packages."""
    embedded = tmp_path / "portable" / "python_embeded"
    library = embedded / "lib"
    library.mkdir(parents=True)
    for entry in Path(sysconfig.get_path("stdlib")).iterdir():
        if entry.name not in ("ensurepip", "venv", "site-packages"):
            (library / entry.name).symlink_to(entry)
    executable = embedded / "python.exe"
    shutil.copy(Path(sys._base_executable).resolve(), executable)
    isolation = "\n".join(["lib", "lib/lib-dynload", sysconfig.get_path("purelib")])
    (embedded / "python.exe._pth").write_text(isolation, encoding="ascii")
    (tmp_path / "portable" / "ComfyUI" / "comfy_api").mkdir(parents=True)
    return tmp_path / "portable"
