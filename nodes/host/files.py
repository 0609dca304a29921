"""The host's folders, and what is saved in them or shown from them."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import folder_paths
from comfy.cli_args import args
from comfy_api.latest import io, ui

from ...vidu.destination import Destination

TIME_CODES: Mapping[str, str] = MappingProxyType(
    {
        "year": "%Y",
        "month": "%m",
        "day": "%d",
        "hour": "%H",
        "minute": "%M",
        "second": "%S",
    }
)
"""What the host replaces in a prefix beside the size of an image, as codes of strftime."""


def data_dir() -> Path:
    """Return the private folder of ledger, settings and key, which no route of the host serves."""
    return Path(folder_paths.get_system_user_directory("fal_vidu"))


def destination(prefix: str) -> Destination:
    """Return where ComfyUI's rules put a clip with this filename prefix.

    Raises:
        InvalidSettingError: The prefix leads out of the output folder.
    """
    dated = prefix
    for name, code in TIME_CODES.items():
        dated = dated.replace(f"%{name}%", time.strftime(code))
    return Destination.inside(Path(folder_paths.get_output_directory()), dated)


def metadata(hidden: Any) -> Mapping[str, str]:
    """Return the workflow and the prompt as the host's own nodes put them into files."""
    if args.disable_metadata:
        return {}
    texts = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        texts["prompt"] = hidden.prompt
    return {name: json.dumps(value) for name, value in texts.items()}


def preview(paths: list[Path]) -> ui.PreviewVideo:
    """Return what makes the clips play on the node."""
    return ui.PreviewVideo([_playable(path.resolve()) for path in paths])


def preview_stills(paths: list[Path]) -> ui.SavedImages:
    """Return what shows the stills on the node."""
    return ui.SavedImages([_playable(path.resolve()) for path in paths])


def _playable(path: Path) -> ui.SavedResult:
    output = Path(folder_paths.get_output_directory()).resolve()
    if path.is_relative_to(output):
        subfolder = path.relative_to(output).as_posix().rpartition("/")[0]
        return ui.SavedResult(path.name, subfolder, io.FolderType.output)
    # Saved elsewhere, by a run from a shell: the host serves files of its own folders only.
    copy = Path(
        folder_paths.get_temp_directory(), f"{hashlib.sha256(bytes(path)).hexdigest()}{path.suffix}"
    )
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return ui.SavedResult(copy.name, "", io.FolderType.temp)
