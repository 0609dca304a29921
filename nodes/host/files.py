"""The host's folders, and what is saved in them or shown from them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args
from comfy_api.latest import io, ui

from ...vidu.destination import Destination
from ...vidu.files import remove_file, replace_file
from ...vidu.models import SavedFile
from .filename_prefix import fill_in_prefix

log = logging.getLogger(__name__)


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


def locate(file: SavedFile) -> SavedFile:
    """Return a saved file as this machine has it, where that can be told without reading it.

    Another machine's path leads nowhere here; the file is at the same place below this server's
    own output folder when both folders are one.
    """
    output = Path(folder_paths.get_output_directory())
    # A row may come from another machine or a damaged file: its path is compared with the folder as
    # text before the disk is asked, and with its links resolved after that.
    path = Path(os.path.normpath(output / file.relative_path))
    with suppress(OSError, ValueError):
        if (
            file.relative_path
            and not file.path.is_file()
            and path.is_relative_to(os.path.normpath(output))
            and path.stat().st_size == file.size
            and path.resolve().is_relative_to(output.resolve())
        ):
            return replace(file, path=path)
    return file


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
    return ui.PreviewVideo(_shown(paths))


def preview_stills(paths: list[Path]) -> ui.SavedImages:
    """Return what shows the stills on the node."""
    return ui.SavedImages(_shown(paths))


def _shown(paths: list[Path]) -> list[ui.SavedResult]:
    """Return where the host serves each file; one that cannot be copied there is left out."""
    shown = []
    for path in paths:
        try:
            shown.append(_playable(path.resolve()))
        except OSError as error:
            log.warning("Vidu: %s is saved, but cannot be shown: %s", path, error)
    return shown


def _playable(path: Path) -> ui.SavedResult:
    output = Path(folder_paths.get_output_directory()).resolve()
    if path.is_relative_to(output):
        subfolder = path.relative_to(output).as_posix().rpartition("/")[0]
        return ui.SavedResult(path.name, subfolder, io.FolderType.output)
    # Saved elsewhere, by a run from a shell: the host serves files of its own folders only. A copy
    # is never replaced, for it may be playing: on Windows nobody can write to it meanwhile.
    file = path.stat()
    version = f"{path}|{file.st_size}|{file.st_mtime_ns}"
    name = f"{hashlib.sha256(os.fsencode(version)).hexdigest()}{path.suffix}"
    copy = Path(folder_paths.get_temp_directory(), name)
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        part = copy.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            shutil.copyfile(path, part)
            replace_file(part, copy)
        finally:
            with suppress(OSError):
                remove_file(part)
    return ui.SavedResult(copy.name, "", io.FolderType.temp)
