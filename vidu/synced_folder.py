"""Folders that a cloud service copies to other machines, where a ledger does not belong."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

log = logging.getLogger(__name__)

ONEDRIVE_VARIABLES = ("OneDrive", "OneDriveConsumer", "OneDriveCommercial")
"""Where Windows says that OneDrive's folders are."""

SERVICES = re.compile(
    r"OneDrive( - .+)?|Dropbox( \(.+\))?|Google ?Drive|My Drive|iCloudDrive|Mobile Documents"
    r"|CloudStorage|Nextcloud|pCloud ?Drive",
    re.IGNORECASE,
)
"""The names that the services give their folders; the two with `Cloud` and `Mobile` are macOS's."""


def find_synced_folder(path: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the synced folder that `path` lies in, or None."""
    named = {Path(environ[name]) for name in ONEDRIVE_VARIABLES if environ.get(name)}
    folders = (path, *path.parents)
    return next((f for f in folders if f in named or SERVICES.fullmatch(f.name)), None)


@lru_cache
def warn_of_synced_folder(data_dir: Path) -> None:
    """Log a warning, once in a process, when the ledger's folder is synced."""
    synced = find_synced_folder(data_dir.absolute())
    if synced:
        log.warning(
            "The ledger in %s lies in %s, which is copied to other machines. A copy that comes "
            "back old forgets paid clips, and they would be paid for again. Move ComfyUI, or "
            "VIDU_HOME in a shell, to a folder that is not synced.",
            data_dir,
            synced,
        )
