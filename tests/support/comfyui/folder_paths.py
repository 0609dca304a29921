"""The host's folders, below the test's own."""

from __future__ import annotations

import os
from pathlib import Path


def _folder(name: str) -> str:
    path = Path(os.environ["VIDU_HOME"], name)
    path.mkdir(parents=True, exist_ok=True)
    return str(path)


def get_system_user_directory(name: str) -> str:
    return _folder(f"__{name}")


def get_output_directory() -> str:
    return _folder("output")


def get_temp_directory() -> str:
    return _folder("temp")


def get_annotated_filepath(name: str) -> str:
    return str(Path(_folder("input"), name))
