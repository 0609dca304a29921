"""The library: what the ledger's clips are looked up by, and how one of them is had again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .clip import open_mp4
from .desk import open_desk
from .entry import Entry, State, entry_of
from .errors import InvalidSetting, LedgerUnavailable
from .fetch import is_intact
from .generate import Clip, collect, kept_clip
from .ledger import LEDGER_FILE, Ledger
from .ledger_file import open_database
from .progress import Tell, silent
from .run import Names
from .settings import Settings

GROUPS: Mapping[str, tuple[State, ...]] = MappingProxyType(
    {
        "all": tuple(State),
        "saved": (State.KEPT,),
        "unfinished": (
            State.INTENDED,
            State.UNKNOWN,
            State.SUBMITTED,
            State.CANCELLED,
            State.FINISHED,
        ),
        "failed": (State.FAILED,),
    }
)
"""What an artist filters by, and the states each means."""


@dataclass(frozen=True)
class Page:
    """A stretch of what was found, newest first, and how many rows were found in all."""

    entries: list[Entry]
    total: int


def look_up(home: Path, *, text: str = "", group: str = "all", offset: int, limit: int) -> Page:
    """Read a page of the ledger.

    Args:
        home: The ledger's folder.
        text: What the prompt contains, or the whole request id or seed; empty finds all.
        group: One of `GROUPS`.
        offset: How many of the newest rows to pass over.
        limit: The most rows to return.

    Raises:
        LedgerUnavailable: The ledger can not be read.
    """
    path = home / LEDGER_FILE
    if not path.exists():
        return Page([], 0)
    where, values = "WHERE TRUE", []
    if group != "all":  # to see that a row is in one of all states, SQLite would have to read it
        where += f" AND state IN ({', '.join('?' for _ in GROUPS[group])})"
        values += [state.value for state in GROUPS[group]]
    if text:
        where += " AND (instr(folded(prompt), ?) OR request_id = ? OR CAST(seed AS TEXT) = ?)"
        values += [text.casefold(), text, text]
    page = f"SELECT * FROM shots {where} ORDER BY id DESC LIMIT ? OFFSET ?"
    try:
        with closing(open_database(path)) as db:
            # SQLite's own LIKE knows upper and lower case of ASCII only.
            db.create_function("folded", 1, str.casefold, deterministic=True)
            (total,) = db.execute(f"SELECT count(*) FROM shots {where}", values).fetchone()
            rows = db.execute(page, (*values, limit, offset)).fetchall()
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailable(
            f"The ledger of paid clips at {path} can not be read ({error}).",
            "Check that its folder can be read, then look again.",
        ) from error
    return Page([entry_of(row) for row in rows], int(total))


def by_request(home: Path, request_id: str) -> Entry:
    """Return the row of one request.

    Raises:
        InvalidSetting: The ledger has no such request.
        LedgerUnavailable: The ledger can not be read.
    """
    name = request_id.strip()
    if not name:
        raise InvalidSetting(
            "No clip is chosen.", "Pick one in the library (the sidebar's Vidu tab)."
        )
    if name.startswith("draft"):
        raise InvalidSetting(
            "This is the id of a draft, and drafts are not in the library.",
            "Use the draft's file, or pick another clip.",
        )
    with Ledger.open(home) as ledger:
        found = [entry for entry in ledger.find(name) if entry.request_id == name]
    if not found:
        raise InvalidSetting(
            f"The library has no clip with the request id {name!r}.",
            "Pick one in the library (the sidebar's Vidu tab).",
        )
    return found[0]


async def recall(entry: Entry, home: Path, names: Names, tell: Tell = silent) -> Clip:
    """Return a row's clip: from disk without key or network, else from fal; never paid again.

    Args:
        entry: The row.
        home: The folder of ledger, settings and key.
        names: Where the clip may be kept when it has to be fetched.
        tell: Called with each moment of progress.

    Raises:
        GenerationFailed: There is no clip to be had.
        ViduError: See the tree in `errors.py`.
    """
    if await is_intact(entry):
        return kept_clip(await _kept(entry, home))
    settings = Settings.load(home)
    async with open_desk(home, settings) as (platform, ledger):
        return await collect(entry, platform, ledger, names, settings=settings, tell=tell)


async def _kept(entry: Entry, home: Path) -> Entry:
    """Take a row to KEPT whose file had been missing and is back."""
    if entry.state is not State.FINISHED or entry.file is None:
        return entry
    with Ledger.open(home) as ledger:
        async with ledger.turn(entry.fingerprint, lambda: None):
            now = ledger.get(entry.id)
            if now is None or now.state is not State.FINISHED:
                return entry
            return ledger.kept(now, entry.file)


def carried_workflow(path: Path) -> Any:
    """Return the workflow a clip was kept with, read from inside the file, or None."""
    import av

    try:
        with open_mp4(path) as container:
            return json.loads(container.metadata.get("workflow", "null"))
    except (av.FFmpegError, ValueError):
        return None
