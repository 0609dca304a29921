"""The host's knowledge of other packs' nodes and of input files, for a cost before the run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths
from PIL import Image

import nodes

PIXELS_FOR_A_LOOK = 16_000_000
"""A picture of more pixels is not decoded only to tell a price: it takes 12 bytes for each."""

BATCHES = frozenset({"IMAGE", "MASK", "LATENT"})
"""Types of which one value holds any number of pictures."""

ANIMATED_SUFFIXES = (".gif", ".webp", ".apng", ".mp4", ".mov", ".webm", ".mkv")


@dataclass(frozen=True)
class OutputKind:
    """What comes out of an output of a node."""

    is_list: bool
    is_batch: bool


def output_kind(class_type: str, slot: int) -> OutputKind | None:
    """Return what comes out of the output, or None for a node or an output that is not known."""
    node_class = nodes.NODE_CLASS_MAPPINGS.get(class_type)
    types = getattr(node_class, "RETURN_TYPES", ())
    if not 0 <= slot < len(types):
        return None
    lists = getattr(node_class, "OUTPUT_IS_LIST", None) or ()
    is_list = (slot < len(lists) and bool(lists[slot])) or bool(
        getattr(node_class, "INPUT_IS_LIST", False)
    )
    return OutputKind(is_list, str(types[slot]) in BATCHES)


def may_change(class_type: str) -> bool:
    """Return whether a node may give another output for the same inputs."""
    node_class = nodes.NODE_CLASS_MAPPINGS.get(class_type)
    if node_class is None:
        return True
    if hasattr(node_class, "IS_CHANGED") or getattr(node_class, "NOT_IDEMPOTENT", False):
        return True
    fingerprint = getattr(node_class, "fingerprint_inputs", None)
    return fingerprint is not None and "fingerprint_inputs" in vars(node_class)


def input_file_state(name: str) -> tuple[int, int] | None:
    """Return size and change time (ns) of a file that an input names, or None if it names none."""
    try:
        path = _input_path(name)
        if path is None or not path.is_file():
            return None
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def load_picture(name: str) -> Any | None:
    """Return the picture of an input file as Load Image puts it out, [1, H, W, C]; blocks.

    None where the file is not a single picture, or too large to be decoded for a look.
    """
    path = _input_path(name)
    if path is None:
        return None
    try:
        with Image.open(path) as file:
            if file.width * file.height > PIXELS_FOR_A_LOOK:
                return None
        pictures = nodes.LoadImage().load_image(name)[0]
    except (OSError, ValueError, RuntimeError, Image.DecompressionBombError):
        return None
    return pictures if len(pictures) == 1 else None


def is_animated(name: str) -> bool:
    """Return whether an input file may hold more than one picture, by its name."""
    return name.lower().partition(" [")[0].endswith(ANIMATED_SUFFIXES)


def view_of(path: Path) -> dict[str, str] | None:
    """Return how the host's /view names a file of the output folder, or None for any other."""
    output = Path(folder_paths.get_output_directory()).resolve()
    path = path.resolve()
    if not path.is_relative_to(output):
        return None
    folder = path.relative_to(output).as_posix().rpartition("/")[0]
    return {"filename": path.name, "subfolder": folder, "type": "output"}


def _input_path(name: str) -> Path | None:
    if not name or len(name) > 255 or "\n" in name:
        return None
    name, base = folder_paths.annotated_filepath(name)
    folder = _normalize(Path(base or folder_paths.get_input_directory()).absolute())
    path = _normalize(folder / name)
    return path if path.is_relative_to(folder) else None


def _normalize(path: Path) -> Path:
    # As text, where the host resolves the path: Windows logs in to the machine of a network path
    # when it is only looked at, and a workflow can name any.
    return Path(os.path.normpath(path))
