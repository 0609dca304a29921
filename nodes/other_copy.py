"""The check for another copy of this pack in custom_nodes."""

from __future__ import annotations

import sys
from pathlib import Path

EXTENSION = "FalViduExtension"


def find_other_copy(package: str) -> Path | None:
    """Return the folder of a copy that ComfyUI loaded before this one.

    Args:
        package: The name of this copy's `nodes` package.
    """
    for name, module in list(sys.modules.items()):
        # vars() and not getattr(): other packs' lazy modules would begin to import.
        if name.endswith(".nodes") and name != package and EXTENSION in vars(module):
            return Path(str(module.__file__)).parents[1]
    return None


def require_only_copy(package: str) -> None:
    """Raise a sentence, which ComfyUI prints, when another copy is loaded already."""
    other = find_other_copy(package)
    if other:
        raise RuntimeError(
            f"Vidu on fal is loaded from {other} already, and this copy is not used. Remove one "
            "of the two folders, then restart ComfyUI."
        )
