"""Every paid request, from before the money moves to the file on disk.

::

           intend          posting           submitted            finished          saved
    (none) -----> RESERVED ------> SUBMITTING ----------> SUBMITTED --------> FINISHED ---> SAVED
                     |                |                  |    ^ not heeded    ^            |
                     |                | never            |    |               | file gone  |
                     |                | arrived          v    |               +------------+
                     |                |                CANCELLED
                     v                v                  v
                   FAILED <-------- FAILED <-------- FAILED, or cancelled indeed

RESERVED   wanted and within the budget; nothing has been sent
SUBMITTING    the paid POST may or may not have arrived; written before it is made
SUBMITTED  fal has it, under a request id
CANCELLED  fal was asked to cancel it; what became of it is asked when the shot is run again
FINISHED   fal has the clip
SAVED       the clip is on disk
FAILED     over; only a shot with nothing but FAILED rows may be intended again

A unique index holds the first promise: at most one row that is not FAILED for one fingerprint, so
that neither a bug nor a race can pay twice. Each change names the state it expects, and fails
when another process was faster. A row is on disk (WAL, synchronous=FULL) before the call returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..errors import BudgetExceededError, LedgerUnavailableError
from ..models import FILE_COLUMNS, MICRO, Entry, Output, RequestHandle, SavedFile, State, entry_of
from ..request import Request
from .database import Database, unavailable_when_broken
from .lock import hold_lock

LEDGER_FILE = "ledger.sqlite"


class Ledger:
    """The book of one user, shared by every coroutine, thread and process that opens it.

    Args:
        path: The SQLite file, or ":memory:" for a book that ends with the object.
        now: The clock, in seconds since 1970.

    Raises:
        LedgerUnavailableError: It cannot be opened: locked, read-only, or made by a newer version.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], float] = time.time) -> None:
        self._path = path if path == ":memory:" else Path(path)
        self._now = now
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._db = Database(self._path)

    @classmethod
    def open(cls, data_dir: Path) -> Ledger:
        """Open the ledger in the folder `data_dir`, making both when they are missing."""
        with unavailable_when_broken(str(data_dir)):
            data_dir.mkdir(parents=True, exist_ok=True)
        return cls(data_dir / LEDGER_FILE)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.asynccontextmanager
    async def lock_shot(self, fingerprint: str, waiting: Callable[[], None]) -> AsyncIterator[None]:
        """Hold this shot's turn: one run at a time, over all processes on this machine.

        Args:
            fingerprint: The shot.
            waiting: Called about once a second while another run holds the turn.
        """
        if not isinstance(self._path, Path):
            async with self._locks[fingerprint]:
                yield
            return
        async with contextlib.AsyncExitStack() as held:
            with unavailable_when_broken(str(self._path)):
                lock = self._path.parent / "locks" / fingerprint
                await held.enter_async_context(hold_lock(lock, waiting))
            yield

    def now(self) -> float:
        """Return the ledger's time, in seconds since 1970."""
        return self._now()

    # -- reading ---------------------------------------------------------------------------------

    def active(self, fingerprint: str) -> Entry | None:
        """Return the one row of this shot that is not FAILED, if there is one."""
        rows = self._rows("WHERE fingerprint = ? AND state != 'failed'", fingerprint)
        return rows[0] if rows else None

    def get(self, entry_id: int) -> Entry | None:
        """Return the row with this id."""
        rows = self._rows("WHERE id = ?", entry_id)
        return rows[0] if rows else None

    def get_by_prefix(self, name: str) -> list[Entry]:
        """Return rows whose id or request id is `name`, or whose fingerprint begins with it."""
        return self._rows(
            "WHERE id = ? OR request_id = ? OR length(?) >= 8 AND instr(fingerprint, ?) = 1",
            int(name) if name.isdecimal() and len(name) < 16 else -1,
            name,
            name,
            name,
        )

    def entries(self, *, limit: int = -1, offset: int = 0) -> list[Entry]:
        """Return rows, newest first."""
        return self._rows("ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset)

    def unfinished(self) -> list[Entry]:
        """Return the rows that fal may still owe a clip for, oldest first."""
        # Word for word the index's own condition, or SQLite does not use it.
        owed = "state NOT IN ('saved', 'failed') AND state != 'reserved'"
        return self._rows(f"INDEXED BY unfinished WHERE {owed} ORDER BY id")

    def spent_since(self, moment: float) -> Decimal:
        """Return US dollars spent or reserved by rows intended since `moment`.

        A failed row counts unless it is known that fal did not bill it.
        """
        query = (
            "SELECT coalesce(sum(price_micro_usd), 0) FROM shots WHERE reserved_at >= ? "
            "AND NOT (state = 'failed' AND billed IS 0)"
        )
        return Decimal(self._db.rows(query, moment)[0][0]) / MICRO

    def spent_today(self) -> Decimal:
        """Return US dollars spent or reserved since local midnight."""
        return self.spent_since(_midnight(self._now()).timestamp())

    def spent_this_month(self) -> Decimal:
        """Return US dollars spent or reserved since the first of the month."""
        return self.spent_since(_midnight(self._now()).replace(day=1).timestamp())

    # -- the way of a shot -----------------------------------------------------------------------

    def reserve(self, request: Request, daily_budget_usd: Decimal) -> Entry:
        """Write down that this shot is wanted, and reserve its price.

        Args:
            request: The shot.
            daily_budget_usd: The most that one day may cost; 0 means no limit.

        Returns:
            The new row, or the live one another process wrote first.

        Raises:
            BudgetExceededError: The reservation would go over the budget.
            LedgerUnavailableError: It cannot be written down.
        """
        with self._db.transaction() as db:
            live = self.active(request.fingerprint)
            if live:
                return live
            if daily_budget_usd:
                _check_budget(self.spent_today(), request.price, daily_budget_usd)
            row = {
                "fingerprint": request.fingerprint,
                "endpoint": request.endpoint.id,
                "state": State.RESERVED.value,
                "prompt": request.prompt,
                "seed": request.seed,
                "options": json.dumps(dict(request.options)),
                "price_micro_usd": int(request.price * MICRO),
                "reserved_at": self._now(),
            }
            marks = ", ".join("?" for _ in row)
            cursor = db.execute(
                f"INSERT INTO shots ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
            )
            return self._get(cursor.lastrowid)

    def save_metadata(self, entry: Entry, metadata: Mapping[str, str]) -> None:
        """Write down the texts that the clip is to carry, for whoever collects it.

        Args:
            entry: The row.
            metadata: Such as `workflow` and `prompt`; tens of kilobytes, and stored compressed.
        """
        packed = zlib.compress(json.dumps(dict(metadata)).encode())
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO carried VALUES (?, ?)", (entry.id, packed))

    def load_metadata(self, entry: Entry) -> Mapping[str, str]:
        """Return the texts that the clip is to carry."""
        rows = self._db.rows("SELECT metadata FROM carried WHERE shot = ?", entry.id)
        return dict(json.loads(zlib.decompress(rows[0]["metadata"]))) if rows else {}

    def mark_submitting(
        self,
        entry: Entry,
        arguments: Mapping[str, Any],
        *,
        max_lifetime_s: float | None = None,
        account: str | None = None,
    ) -> Entry:
        """RESERVED to SUBMITTING: from here until the reply nobody knows what fal has.

        Args:
            entry: The row.
            arguments: The body of the paid POST.
            max_lifetime_s: How long the request can live, in seconds, by today's settings.
            account: Whose request it is.
        """
        return self._move(
            entry,
            State.SUBMITTING,
            expected=(State.RESERVED,),
            arguments=json.dumps(dict(arguments)),
            submitting_at=self._now(),
            max_lifetime_s=max_lifetime_s,
            account=account,
        )

    def mark_submitted(self, entry: Entry, handle: RequestHandle) -> Entry:
        """SUBMITTING to SUBMITTED: fal has it."""
        return self._move(
            entry,
            State.SUBMITTED,
            expected=(State.SUBMITTING,),
            request_id=handle.request_id,
            status_url=handle.status_url,
            response_url=handle.response_url,
            cancel_url=handle.cancel_url,
            submitted_at=self._now(),
        )

    def mark_cancelled(self, entry: Entry) -> Entry:
        """SUBMITTED to CANCELLED: fal is asked to cancel it."""
        return self._move(
            entry,
            State.CANCELLED,
            expected=(State.SUBMITTED, State.CANCELLED),
            cancelled_at=self._now(),
        )

    def mark_finished(self, entry: Entry, output: Output) -> Entry:
        """Any state with a handle to FINISHED: fal has the clip."""
        return self._move(
            entry,
            State.FINISHED,
            expected=(State.SUBMITTED, State.CANCELLED, State.FINISHED, State.SAVED),
            video_url=output.video_url,
            video_size=output.video_size,
            billable_units=output.billable_units,
            finished_at=entry.finished_at or self._now(),
        )

    def mark_saved(self, entry: Entry, file: SavedFile) -> Entry:
        """FINISHED to SAVED: the clip is on disk."""
        facts = {name: getattr(file, name) for name in FILE_COLUMNS}
        return self._move(
            entry,
            State.SAVED,
            expected=(State.FINISHED,),
            **{**facts, "path": str(file.path)},
            saved_at=self._now(),
        )

    def mark_failed(self, entry: Entry, failure: str, *, billed: bool | None) -> Entry:
        """Any state to FAILED.

        Args:
            entry: The row as it was last seen.
            failure: The reason, in words.
            billed: Whether fal charged for it; `None` when that is not known.
        """
        return self._move(
            entry,
            State.FAILED,
            expected=(entry.state,),
            failure=failure,
            billed=None if billed is None else int(billed),
            failed_at=self._now(),
        )

    def delete_command(self, entry: Entry) -> str:
        """Return the shell command that removes this row, for the user's own decision."""
        data_dir = self._path.parent if isinstance(self._path, Path) else Path()
        return f'python -m vidu forget {entry.id} --home "{data_dir}"'

    def delete(self, entry: Entry) -> None:
        """Remove the row; the shot may then be paid for again."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM shots WHERE id = ?", (entry.id,))
            db.execute("DELETE FROM carried WHERE shot = ?", (entry.id,))

    # -- inside ----------------------------------------------------------------------------------

    def _move(
        self, entry: Entry, state: State, *, expected: tuple[State, ...], **columns: Any
    ) -> Entry:
        columns["state"] = state.value
        names = ", ".join(f"{name} = ?" for name in columns)
        marks = ", ".join("?" for _ in expected)
        with self._db.transaction() as db:
            cursor = db.execute(
                f"UPDATE shots SET {names} WHERE id = ? AND state IN ({marks})",
                (*columns.values(), entry.id, *(each.value for each in expected)),
            )
            if cursor.rowcount != 1:
                raise LedgerUnavailableError(
                    f"Another process changed row {entry.id} of the ledger at the same moment.",
                    "Run the same shot again.",
                )
            return self._get(entry.id)

    def _get(self, entry_id: int | None) -> Entry:
        return self._rows("WHERE id = ?", entry_id)[0]

    def _rows(self, clause: str, *values: object) -> list[Entry]:
        return [entry_of(row) for row in self._db.rows(f"SELECT * FROM shots {clause}", *values)]


def _check_budget(spent: Decimal, price: Decimal, budget: Decimal) -> None:
    if spent + price > budget:
        raise BudgetExceededError(
            f"This clip costs ${price:.2f} and ${spent:.2f} of today's ${budget:.2f} "
            "is spent or reserved.",
            "Raise VIDU_DAILY_BUDGET_USD (or the daily budget in the settings), or wait "
            "until midnight.",
        )


def _midnight(moment: float) -> datetime:
    local = datetime.fromtimestamp(moment)
    return local - timedelta(
        hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )
