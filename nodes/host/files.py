"""The host's folders, and what is saved in them or shown from them."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args
from comfy_api.latest import io, ui

from ...vidu.destination import Destination
from .prefix import fill_in_prefix


def data_dir() -> Path:
    """Return the private folder of ledger, settings and key, which no route of the host serves."""
    return Path(folder_paths.get_system_user_directory("fal_vidu"))


def destination(prefix: str, prompt: Mapping[str, Any] | None = None) -> Destination:
    """Return where ComfyUI's rules put a clip with this filename prefix.

    Args:
        prefix: Folders and a name, with rules such as `%year%` or `%KSampler.seed%`.
        prompt: The graph in API format, for what the rules name.

    Raises:
        InvalidSettingError: The prefix leads out of the output folder, or a rule names nothing.
    """
    filled_in = fill_in_prefix(prefix, prompt or {}, time.localtime())
    return Destination.inside(Path(folder_paths.get_output_directory()), filled_in)


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
