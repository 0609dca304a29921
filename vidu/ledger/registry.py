"""The ledgers of this user on this machine, each of which is asked before anything is paid.

ComfyUI keeps its ledger in its own folder and a shell in the user's, so that one shot could be paid
for twice. Each ledger in a file is noted in one place when it is opened, and once more when it has
paid for something: from then on its absence does not prove that nothing was paid.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..command_line import command_line
from ..errors import InvalidSettingError, LedgerUnavailableError
from ..files import remove_file, replace_file
from .journal import Journal
from .other_ledger import LedgerFile
from .schema import VERSION

LOCK_LIMIT_S = 2.0
HAS_PAID = "has paid"
RECONNECT = "Connect its drive or share and run again."
ANOTHER_LEDGER = "Another ledger of yours on this machine"
MAYBE_PAID_THERE = "so this shot may have been paid for there."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """What is known of a ledger.

    Args:
        file: The note.
        path: The ledger.
        has_paid: Whether it has paid for something.
    """

    file: Path
    path: Path
    has_paid: bool


class LedgerRegistry:
    """The list of ledgers, one small file each.

    Args:
        shared_dir: The folder of what all ledgers of a user share; made with the first ledger.
    """

    def __init__(self, shared_dir: Path) -> None:
        self._folder = shared_dir / "ledgers"
        self._locks = shared_dir / "locks"

    def add(self, path: Path, *, has_paid: bool = False) -> None:
        """Note a ledger.

        Args:
            path: Its file.
            has_paid: Whether it has paid for something, or is about to.

        Raises:
            OSError: It cannot be written.
        """
        note = self._read(self._note(path))
        if note and note.has_paid >= has_paid:
            return
        lines = [str(path.absolute()), *([HAS_PAID] if has_paid else [])]
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._note(path).with_suffix(f".{secrets.token_hex(4)}")
        fresh.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
        replace_file(fresh, self._note(path))

    def has_paid(self, path: Path) -> bool:
        """Return whether a ledger is noted that has paid for something.

        Raises:
            OSError: That cannot be found out.
        """
        note = self._read(self._note(path))
        return note is not None and note.has_paid

    def forget(self, path: Path) -> None:
        """Remove the note of a ledger that is gone for good.

        Raises:
            InvalidSettingError: There is no such note.
            OSError: It cannot be removed.
        """
        note = self._note(path)
        if not note.exists():
            raise InvalidSettingError(
                f"No ledger {path} is known.", f"The known ones are noted in {self._folder}."
            )
        remove_file(note)

    def others(self, path: Path) -> list[Path]:
        """Return the ledgers beside this one that are there.

        Raises:
            LedgerUnavailableError: One that has paid for something is not there.
            OSError: That cannot be found out.
        """
        own = self._note(path)
        notes = [self._read(file) for file in sorted(self._folder.glob("*.txt")) if file != own]
        others = [note for note in notes if note and not _is_same(note.path, path)]
        return [note.path for note in others if self._is_there(note)]

    @contextmanager
    def opened(self, path: Path) -> Iterator[LedgerFile]:
        """Open another ledger for reading.

        Raises:
            LedgerUnavailableError: It cannot be read, so nobody knows what it has paid for.
        """
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            with (
                _hold_opening(path),
                closing(sqlite3.connect(uri, uri=True, timeout=LOCK_LIMIT_S)) as db,
            ):
                db.row_factory = sqlite3.Row
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version not in (0, VERSION):
                    raise sqlite3.OperationalError("another version of this pack made it")
                yield LedgerFile(db, str(path), self._locks)
        except (sqlite3.Error, OSError) as error:
            raise self._refusal(
                path,
                f"{ANOTHER_LEDGER}, {path}, cannot be read ({error}), {MAYBE_PAID_THERE}",
                "Fix it.",
            ) from error

    def _is_there(self, note: Note) -> bool:
        """Return whether a noted ledger is there; a note that is of no use is removed."""
        try:
            if note.path.is_file():
                return True
            if note.path.parent.is_dir():
                with _hold_opening(note.path):
                    if note.path.is_file():
                        return True
                    has_journal = Journal(note.path.with_suffix(".journal")).last() is not None
                if has_journal:
                    raise self._refusal(
                        note.path,
                        f"{ANOTHER_LEDGER}, {note.path}, is gone, and its journal is not, "
                        f"{MAYBE_PAID_THERE}",
                        "Open that ledger once, in ComfyUI or with "
                        f"`{command_line('ledger', '--home', note.path.parent)}`, which brings it "
                        "back.",
                    )
        except OSError as error:
            raise self._refusal(
                note.path,
                f"{ANOTHER_LEDGER}, {note.path}, is out of reach ({error}), {MAYBE_PAID_THERE}",
                RECONNECT,
            ) from error
        if note.has_paid and not self._is_temporary(note.path):
            raise self._refusal(
                note.path,
                f"{ANOTHER_LEDGER}, {note.path}, is not there, {MAYBE_PAID_THERE}",
                RECONNECT,
            )
        log.info("The ledger %s is gone, and so is the note of it.", note.path)
        with suppress(OSError):
            remove_file(note.file)
        return False

    def _is_temporary(self, path: Path) -> bool:
        """Return whether a ledger was in the folder that the system empties, and the list is not.

        Whoever keeps a ledger there wants it to go.
        """
        folder = Path(tempfile.gettempdir()).resolve()
        return folder in path.parents and folder not in self._folder.resolve().parents

    def _refusal(self, path: Path, message: str, next_step: str) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            message,
            f"{next_step} If it is gone for good, run {command_line('ledger', 'ignore', path)} "
            f"(it removes {self._note(path)}), and then run again.",
        )

    def _note(self, path: Path) -> Path:
        name = hashlib.sha256(str(path.absolute()).encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{name[:16]}.txt"

    @staticmethod
    def _read(file: Path) -> Note | None:
        try:
            path, *more = file.read_bytes().decode(errors="surrogateescape").split("\n")
        except FileNotFoundError:
            return None
        return Note(file, Path(path), HAS_PAID in more)


@contextmanager
def _hold_opening(path: Path) -> Iterator[None]:
    # A ledger that is being repaired is away for a moment, and then empty.
    from filelock import FileLock  # importing it takes time

    with FileLock(path.with_name(f"{path.name}.opening"), timeout=LOCK_LIMIT_S):
        yield


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
