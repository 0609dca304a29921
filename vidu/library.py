"""The library: what the ledger's clips are looked up by, and how one of them is had again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .catalog import endpoint_title
from .destination import Destination
from .endpoints import ENDPOINTS
from .errors import InvalidSettingError, LedgerUnavailableError
from .generate import resume
from .ledger import open_ledger
from .ledger.ledger import LEDGER_FILE
from .media.container import open_clip
from .models import Clip, Entry, SavedFile, State, entry_of
from .progress import ProgressCallback
from .session import open_session
from .settings import Settings
from .steps.verify import find_saved_file

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


READ_LOCK_LIMIT_S = 1.0
"""How long a search waits for another process that holds the ledger."""


@dataclass(frozen=True)
class UnreadableEntry:
    """A row that is there and cannot be read, for some of it is damaged."""

    id: int


@dataclass(frozen=True)
class Page:
    """A stretch of what was found, newest first, and how many rows were found in all."""

    entries: list[Entry | UnreadableEntry]
    total: int


def search_entries(
    data_dir: Path,
    *,
    text: str = "",
    state: str = "all",
    model: str = "",
    offset: int,
    limit: int,
) -> Page:
    """Read a page of the ledger.

    Args:
        data_dir: The ledger's folder.
        text: What the prompt or the model's name contains, or the whole request id or seed; empty
            finds all.
        state: One of `STATE_FILTERS`.
        model: The name of a model as it is shown; empty finds all.
        offset: How many of the newest rows to pass over.
        limit: The most rows to return.

    Raises:
        LedgerUnavailableError: The ledger cannot be read.
    """
    where, values = _condition(text, state, model)
    page = f"SELECT * FROM shots {where} ORDER BY id DESC LIMIT ? OFFSET ?"
    with _reading(data_dir) as db:
        if db is None:
            return Page([], 0)
        (total,) = db.execute(f"SELECT count(*) FROM shots {where}", values).fetchone()
        rows = db.execute(page, (*values, limit, offset)).fetchall()
    return Page([_entry_or_unreadable(row) for row in rows], int(total))


def known_models(data_dir: Path) -> list[str]:
    """Return the names of the models that the ledger has rows of, in order.

    Raises:
        LedgerUnavailableError: The ledger cannot be read.
    """
    with _reading(data_dir) as db:
        if db is None:
            return []
        rows = db.execute("SELECT DISTINCT endpoint FROM shots").fetchall()
    return sorted({endpoint_title(endpoint) for (endpoint,) in rows})


def _condition(text: str, state: str, model: str) -> tuple[str, list[object]]:
    where, values = "WHERE TRUE", list[object]()

    def require(condition: str, *given: object) -> None:
        nonlocal where
        where += f" AND {condition}"
        values.extend(given)

    if state != "all":  # to see that a row is in one of all states, SQLite would have to read it
        names = [each.value for each in STATE_FILTERS[state]]
        require(f"state IN ({_marks(names)})", *names)
    if model:
        endpoints = [each for each in ENDPOINTS if endpoint_title(each) == model] or [model]
        require(f"endpoint IN ({_marks(endpoints)})", *endpoints)
    if text:
        # In SQL alone: a call of Python for each row would hold up the host's event loop. SQLite
        # knows upper and lower case of ASCII only, so that other letters are tried as usual forms.
        forms = sorted({text, text.lower(), text.upper(), text.capitalize(), text.title()})
        found = " OR ".join("instr(prompt, ?)" for _ in forms)
        named = [each for each in ENDPOINTS if text.lower() in endpoint_title(each).lower()]
        require(
            f"({found} OR instr(lower(prompt), ?) OR request_id = ? OR CAST(seed AS TEXT) = ?"
            f" OR endpoint IN ({_marks(named)}))",
            *forms,
            text.lower(),
            text,
            text,
            *named,
        )
    return where, values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)


@contextmanager
def _reading(data_dir: Path) -> Iterator[sqlite3.Connection | None]:
    path = data_dir / LEDGER_FILE
    if not path.exists():
        yield None
        return
    try:
        with closing(
            sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", timeout=READ_LOCK_LIMIT_S, uri=True
            )
        ) as db:
            db.row_factory = sqlite3.Row
            db.text_factory = _decode
            yield db
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailableError(
            f"The ledger of paid clips at {path} cannot be read ({error}).",
            "Check that its folder can be read, then look again.",
        ) from error


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _entry_or_unreadable(row: sqlite3.Row) -> Entry | UnreadableEntry:
    try:
        return entry_of(row)
    except (ValueError, TypeError, ArithmeticError):
        return UnreadableEntry(row["id"])


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
        found = [entry for entry in await ledger.get_by_prefix(name) if entry.request_id == name]
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
) -> Clip:
    """Return a row's clip: from disk without key or network, else from fal; never paid again.

    Args:
        entry: The row.
        data_dir: The folder of ledger, settings and key.
        destination: Where the clip is saved when it has to be downloaded.
        on_progress: Called with each moment of progress.

    Raises:
        GenerationError: There is no clip to be had.
        ViduError: See the tree in `errors.py`.
    """
    file = await asyncio.to_thread(find_saved_file, entry, destination.folder)
    if file:
        await _note_file(entry, file, data_dir)
        return Clip.from_entry(replace(entry, file=file))
    settings = Settings.load(data_dir)
    async with open_session(data_dir, settings) as (provider, ledger):
        return await resume(
            entry, provider, ledger, destination, settings=settings, on_progress=on_progress
        )


async def _note_file(entry: Entry, file: SavedFile, data_dir: Path) -> None:
    """Move a row to SAVED whose file had been missing or has moved, and is found."""
    if entry.state is State.FAILED or (entry.state is State.SAVED and entry.file == file):
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
    """Return the texts inside a video file, such as `workflow`; empty for a file without any."""
    import av

    try:
        with open_clip(path) as container:
            return dict(container.metadata)
    except (av.FFmpegError, OSError):
        return {}
