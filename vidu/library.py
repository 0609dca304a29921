"""The library: saved clips found again, and one of them opened or downloaded again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .catalog import endpoint_title
from .destination import Destination
from .endpoints import ENDPOINTS
from .errors import CorruptClipError, InvalidSettingError
from .generate import resume
from .ledger import Page, Search, open_ledger
from .media.container import open_clip
from .media.still_file import read_still_metadata
from .media.video import Check, check
from .models import Clip, Entry, SavedFile, State
from .progress import ProgressCallback
from .session import open_session
from .settings import Settings
from .steps.verify import find_saved_file, has_moved_here

STATE_FILTERS: Mapping[str, tuple[State, ...]] = MappingProxyType(
    {
        "all": tuple(State),
        "saved": (State.SAVED,),
        "unfinished": (
            State.RESERVED,
            State.SUBMITTING,
            State.SUBMITTED,
            State.CANCELLED,
            State.FINISHED,
        ),
        "failed": (State.FAILED,),
    }
)
"""What a user filters by, and the states each means."""


async def search_entries(
    data_dir: Path,
    *,
    text: str = "",
    state: str = "all",
    model: str = "",
    host: str = "",
    offset: int,
    limit: int,
) -> Page:
    """Read a page of the ledger.

    Args:
        data_dir: The ledger's folder.
        text: What the prompt, the model's name or the path contains, or all of what a card shows:
            a seed, an option such as 1080p, `8 s`, `1280x720`; or a request id. Empty finds all.
        state: One of `STATE_FILTERS`.
        model: The name of a model as it is shown; empty finds all.
        host: The machine that made it; empty finds all.
        offset: How many of the newest rows to pass over.
        limit: The most rows to return.

    Raises:
        LedgerUnavailableError: The ledger cannot be read.
    """
    wanted = Search(
        text=text,
        # To see that a row is in one of all states, the database would have to read it.
        states=() if state == "all" else STATE_FILTERS[state],
        endpoints=tuple(_endpoints_named(model)) or (model,) if model else (),
        text_endpoints=tuple(_endpoints_like(text)) if text else (),
        host=host,
    )
    async with open_ledger(data_dir) as ledger:
        return await ledger.search(wanted, offset=offset, limit=limit)


async def known_models(data_dir: Path) -> list[str]:
    """Return the names of the models that the ledger has rows of, in order.

    Raises:
        LedgerUnavailableError: The ledger cannot be read.
    """
    async with open_ledger(data_dir) as ledger:
        return sorted({endpoint_title(endpoint) for endpoint in await ledger.endpoints()})


def _endpoints_named(model: str) -> list[str]:
    return [each for each in ENDPOINTS if endpoint_title(each) == model]


def _endpoints_like(text: str) -> list[str]:
    return [each for each in ENDPOINTS if text.casefold() in endpoint_title(each).casefold()]


async def get_by_request_id(data_dir: Path, request_id: str) -> Entry:
    """Return the row of one request.

    Raises:
        InvalidSettingError: The ledger has no such request.
        LedgerUnavailableError: The ledger cannot be read.
    """
    name = request_id.strip()
    if not name:
        raise InvalidSettingError(
            "No clip is chosen.", "Pick one in the library (the sidebar's Vidu tab)."
        )
    if name.startswith("draft"):
        raise InvalidSettingError(
            "This is the id of a draft, and drafts are not in the library.",
            "Use the draft's file, or pick another clip.",
        )
    async with open_ledger(data_dir) as ledger:
        found = [
            entry
            for entry in await ledger.get_by_prefix(name)
            if isinstance(entry, Entry) and entry.request_id == name
        ]
    if not found:
        raise InvalidSettingError(
            f"The library has no clip with the request id {name!r}.",
            "Pick one in the library (the sidebar's Vidu tab).",
        )
    return found[0]


async def load_or_resume(
    entry: Entry,
    data_dir: Path,
    destination: Destination,
    on_progress: ProgressCallback | None = None,
    check: Check = check,
) -> Clip:
    """Return a row's clip: from disk without key or network, else from fal; never paid again.

    Args:
        entry: The row.
        data_dir: The folder of ledger, settings and key.
        destination: Where the clip is saved when it has to be downloaded.
        on_progress: Called with each moment of progress.
        check: Tells whether a clip that is downloaded is whole.

    Raises:
        GenerationError: There is no clip to be had.
        ViduError: See the tree in `errors.py`.
    """
    file = await asyncio.to_thread(find_saved_file, entry, destination)
    if file:
        await _note_file(entry, file, data_dir)
        return Clip.from_entry(replace(entry, file=file))
    settings = Settings.load(data_dir)
    async with open_session(data_dir, settings) as (provider, ledger):
        return await resume(
            entry,
            provider,
            ledger,
            destination,
            settings=settings,
            on_progress=on_progress,
            check=check,
        )


async def _note_file(entry: Entry, file: SavedFile, data_dir: Path) -> None:
    """Move a row to SAVED whose file had been missing or has moved, and is found."""
    if entry.state is State.FAILED:
        return
    if entry.state is State.SAVED and not has_moved_here(entry, file):
        return
    async with (
        open_ledger(data_dir) as ledger,
        ledger.lock_shot(entry.fingerprint, lambda _: None),
    ):
        now = await ledger.get(entry.id)
        if now and now.output and now.state is State.SAVED:
            now = await ledger.mark_finished(now, now.output)
        if now and now.state is State.FINISHED:
            await ledger.mark_saved(now, file)


def read_metadata(entry: Entry, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the texts that a clip carries, each read as JSON.

    Args:
        entry: The row.
        texts: What the ledger has of them; where it has none, they are read from the file.

    Returns:
        Such as `workflow` and `prompt`; empty where there are none.
    """
    if not texts and entry.file is not None:
        texts = read_tags(entry.file.path)
    found = {}
    for name, text in texts.items():
        with suppress(ValueError, TypeError):
            found[name] = json.loads(text)
    return found


def read_tags(path: Path) -> dict[str, str]:
    """Return the texts inside a clip or a still, such as `workflow`; none where there are none."""
    import av

    try:
        with open_clip(path) as container:
            # Matroska writes every name in capitals.
            return {name.lower(): text for name, text in container.metadata.items()}
    except (av.FFmpegError, OSError):
        return {}
    except CorruptClipError:
        return read_still_metadata(path)
