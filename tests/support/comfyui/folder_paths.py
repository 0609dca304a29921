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


def get_input_directory() -> str:
    return _folder("input")


def annotated_filepath(name: str) -> tuple[str, str | None]:
    for folder in ("output", "input", "temp"):
        if name.endswith(f"[{folder}]"):
            return name.removesuffix(f" [{folder}]"), _folder(folder)
    return name, None


def get_annotated_filepath(name: str) -> str:
    name, folder = annotated_filepath(name)
    return str(Path(folder or get_input_directory(), name))
