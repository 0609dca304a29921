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
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..errors import LedgerUnavailableError
from ..models import FILE_COLUMNS, MICRO, Entry, Output, RequestHandle, SavedFile, State, entry_of
from ..request import Request
from .budget import Budget, start_of_day, start_of_month
from .database import Database, unavailable_when_broken
from .lock import hold_lock
from .worker import Worker

LEDGER_FILE = "ledger.sqlite"


@contextlib.asynccontextmanager
async def open_ledger(
    data_dir: Path | None, *, now: Callable[[], float] = time.time
) -> AsyncIterator[Ledger]:
    """Open the ledger in the folder `data_dir`, making both when they are missing.

    Args:
        data_dir: The folder; None is a ledger in memory, which ends with this call.
        now: The clock, in seconds since 1970.

    Raises:
        LedgerUnavailableError: It cannot be opened: locked, read-only, or made by a newer version.
    """
    worker = Worker()
    opened = contextlib.ExitStack()
    try:
        # Entered in the thread: a task that is cancelled while it waits leaves nothing open.
        database = await worker.run(
            lambda: opened.enter_context(contextlib.closing(_open_database(data_dir)))
        )
        yield Ledger(database, worker, now=now)
    finally:
        await worker.run(opened.close)
        worker.stop()


def _open_database(data_dir: Path | None) -> Database:
    if data_dir is None:
        return Database(":memory:")
    with unavailable_when_broken(str(data_dir)):
        data_dir.mkdir(parents=True, exist_ok=True)
    return Database(data_dir / LEDGER_FILE)


class Ledger:
    """Every paid request of one user, shared by all tasks and processes that open it.

    Each method that reads or writes the database does so in a thread of the ledger's own, to its
    end even when the calling task is cancelled.

    Args:
        database: The open database; whoever opened it closes it.
        worker: The thread that uses it.
        now: The clock, in seconds since 1970.
    """

    def __init__(self, database: Database, worker: Worker, *, now: Callable[[], float]) -> None:
        self._db = database
        self._worker = worker
        self._now = now
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._reserved_usd: dict[int, Decimal] = {}  # by this object: one run

    @contextlib.asynccontextmanager
    async def lock_shot(
        self, fingerprint: str, on_waiting: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Hold the lock of a shot: one run at a time, over all processes of this machine.

        Args:
            fingerprint: The shot.
            on_waiting: Called about once a second while another run holds the lock, with the name
                of the machine that is at work, or "" when it is this one.

        Raises:
            LedgerUnavailableError: The lock cannot be taken.
        """
        path = self._db.path
        if path is None:
            async with self._locks[fingerprint]:
                yield
            return
        async with contextlib.AsyncExitStack() as held:
            with unavailable_when_broken(str(path)):
                lock = path.parent / "locks" / fingerprint
                await held.enter_async_context(hold_lock(lock, lambda: on_waiting("")))
            yield

    def now(self) -> float:
        """Return the ledger's time, in seconds since 1970."""
        return self._now()

    # -- reading ---------------------------------------------------------------------------------

    async def active(self, fingerprint: str) -> Entry | None:
        """Return the one row of this shot that is not FAILED, if there is one."""
        return await self._worker.run(self._active, fingerprint)

    async def get(self, entry_id: int) -> Entry | None:
        """Return the row with this id."""
        rows = await self._select("WHERE id = ?", entry_id)
        return rows[0] if rows else None

    async def get_by_prefix(self, name: str) -> list[Entry]:
        """Return rows whose id or request id is `name`, or whose fingerprint begins with it."""
        return await self._select(
            "WHERE id = ? OR request_id = ? OR length(?) >= 8 AND instr(fingerprint, ?) = 1",
            int(name) if name.isdecimal() and len(name) < 16 else -1,
            name,
            name,
            name,
        )

    async def has_request(self, request_id: str) -> bool:
        """Return whether a row has this request id."""
        return bool(await self._select("WHERE request_id = ?", request_id))

    async def entries(self, *, limit: int = -1, offset: int = 0) -> list[Entry]:
        """Return rows, newest first."""
        return await self._select("ORDER BY id DESC LIMIT ? OFFSET ?", limit, offset)

    async def unfinished(self) -> list[Entry]:
        """Return the rows that fal may still owe a clip for, oldest first."""
        # Word for word the index's own condition, or SQLite does not use it.
        owed = "state NOT IN ('saved', 'failed') AND state != 'reserved'"
        return await self._select(f"INDEXED BY unfinished WHERE {owed} ORDER BY id")

    async def spent_since(self, moment: float) -> Decimal:
        """Return US dollars spent or reserved by rows reserved since `moment`.

        A failed row counts unless it is known that fal did not bill it.
        """
        return await self._worker.run(self._spent_since, moment)

    async def spent_today(self) -> Decimal:
        """Return US dollars spent or reserved since midnight UTC."""
        return await self.spent_since(start_of_day(self._now()))

    async def spent_this_month(self) -> Decimal:
        """Return US dollars spent or reserved since the first of the month, UTC."""
        return await self.spent_since(start_of_month(self._now()))

    # -- the way of a shot -----------------------------------------------------------------------

    async def reserve(self, request: Request, budget: Budget) -> Entry:
        """Write down that this shot is wanted, and reserve its price.

        Args:
            request: The shot.
            budget: What the day, and all that this object reserves, may cost.

        Returns:
            The new row, or the active one that another process wrote first.

        Raises:
            BudgetExceededError: The reservation would go over the budget.
            LedgerUnavailableError: It cannot be written down.
        """
        return await self._worker.run(self._reserve, request, budget)

    async def save_metadata(self, entry: Entry, metadata: Mapping[str, str]) -> None:
        """Write down the texts that the clip is to carry, for whoever resumes it.

        Args:
            entry: The row.
            metadata: Such as `workflow` and `prompt`; tens of kilobytes, and stored compressed.
        """
        await self._worker.run(self._save_metadata, entry, metadata)

    async def load_metadata(self, entry: Entry) -> Mapping[str, str]:
        """Return the texts that the clip is to carry."""
        query = "SELECT metadata FROM carried WHERE shot = ?"
        rows = await self._worker.run(self._db.rows, query, entry.id)
        return dict(json.loads(zlib.decompress(rows[0]["metadata"]))) if rows else {}

    async def mark_submitting(
        self,
        entry: Entry,
        arguments: Mapping[str, Any],
        *,
        max_lifetime_s: float | None = None,
        account: str | None = None,
        server_time: float | None = None,
    ) -> Entry:
        """RESERVED to SUBMITTING: from here until the reply nobody knows what fal has.

        Args:
            entry: The row.
            arguments: The body of the paid POST.
            max_lifetime_s: How long the request can live, in seconds, by today's settings.
            account: Whose request it is.
            server_time: fal's own time now, in seconds since 1970; None when it is unknown.
        """
        return await self._move(
            entry,
            State.SUBMITTING,
            expected=(State.RESERVED,),
            arguments=json.dumps(dict(arguments)),
            submitting_at=self._now(),
            max_lifetime_s=max_lifetime_s,
            account=account,
            submitting_server_time=server_time,
        )

    async def mark_submitted(self, entry: Entry, handle: RequestHandle) -> Entry:
        """SUBMITTING to SUBMITTED: fal has it."""
        return await self._move(
            entry,
            State.SUBMITTED,
            expected=(State.SUBMITTING,),
            request_id=handle.request_id,
            status_url=handle.status_url,
            response_url=handle.response_url,
            cancel_url=handle.cancel_url,
            submitted_at=self._now(),
        )

    async def mark_cancelled(self, entry: Entry) -> Entry:
        """SUBMITTED to CANCELLED: fal is asked to cancel it."""
        return await self._move(
            entry,
            State.CANCELLED,
            expected=(State.SUBMITTED, State.CANCELLED),
            cancelled_at=self._now(),
        )

    async def mark_finished(self, entry: Entry, output: Output) -> Entry:
        """Any state with a handle to FINISHED: fal has the clip."""
        return await self._move(
            entry,
            State.FINISHED,
            expected=(State.SUBMITTED, State.CANCELLED, State.FINISHED, State.SAVED),
            video_url=output.video_url,
            video_size=output.video_size,
            billable_units=output.billable_units,
            finished_at=entry.finished_at or self._now(),
        )

    async def mark_saved(self, entry: Entry, file: SavedFile) -> Entry:
        """FINISHED to SAVED: the clip is on disk."""
        facts = {name: getattr(file, name) for name in FILE_COLUMNS}
        return await self._move(
            entry,
            State.SAVED,
            expected=(State.FINISHED,),
            **{**facts, "path": str(file.path)},
            saved_at=self._now(),
        )

    async def mark_failed(self, entry: Entry, failure: str, *, billed: bool | None) -> Entry:
        """Any state to FAILED.

        Args:
            entry: The row as it was last seen.
            failure: The reason, in words.
            billed: Whether fal charged for it; `None` when that is not known.
        """
        failed = await self._move(
            entry,
            State.FAILED,
            expected=(entry.state,),
            failure=failure,
            billed=None if billed is None else int(billed),
            failed_at=self._now(),
        )
        if billed is False:
            self._reserved_usd.pop(entry.id, None)
        return failed

    async def mark_unsent(self, entry: Entry, failure: str) -> Entry:
        """RESERVED or SUBMITTING to FAILED: the paid POST was not made, and never will be.

        Args:
            entry: The row, which a cancelled `mark_submitting` may have moved since.
            failure: The reason, in words.
        """
        failed = await self._move(
            entry,
            State.FAILED,
            expected=(State.RESERVED, State.SUBMITTING),
            failure=failure,
            billed=0,
            failed_at=self._now(),
        )
        self._reserved_usd.pop(entry.id, None)
        return failed

    def delete_command(self, entry: Entry) -> str:
        """Return the shell command that removes this row, for the user's own decision."""
        data_dir = self._db.path.parent if self._db.path else Path()
        return f'python -m vidu forget {entry.id} --home "{data_dir}"'

    async def delete(self, entry: Entry) -> None:
        """Remove the row; the shot may then be paid for again."""
        await self._worker.run(self._delete, entry)

    # -- in the thread ---------------------------------------------------------------------------

    def _reserve(self, request: Request, budget: Budget) -> Entry:
        with self._db.transaction() as db:
            active = self._active(request.fingerprint)
            if active:
                return active
            now = self._now()
            budget.check_run(request.price, sum(self._reserved_usd.values(), Decimal(0)))
            budget.check_day(request.price, self._spent_since(start_of_day(now)))
            row = {
                "fingerprint": request.fingerprint,
                "endpoint": request.endpoint.id,
                "state": State.RESERVED.value,
                "prompt": request.prompt,
                "seed": request.seed,
                "options": json.dumps(dict(request.options)),
                "price_micro_usd": int(request.price * MICRO),
                "reserved_at": now,
            }
            marks = ", ".join("?" for _ in row)
            cursor = db.execute(
                f"INSERT INTO shots ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
            )
            entry = self._rows("WHERE id = ?", cursor.lastrowid)[0]
        self._reserved_usd[entry.id] = entry.price_usd
        return entry

    def _active(self, fingerprint: str) -> Entry | None:
        rows = self._rows("WHERE fingerprint = ? AND state != 'failed'", fingerprint)
        return rows[0] if rows else None

    def _spent_since(self, moment: float) -> Decimal:
        query = (
            "SELECT coalesce(sum(price_micro_usd), 0) FROM shots WHERE reserved_at >= ? "
            "AND NOT (state = 'failed' AND billed IS 0)"
        )
        return Decimal(self._db.rows(query, moment)[0][0]) / MICRO

    def _save_metadata(self, entry: Entry, metadata: Mapping[str, str]) -> None:
        packed = zlib.compress(json.dumps(dict(metadata)).encode())
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO carried VALUES (?, ?)", (entry.id, packed))

    async def _move(
        self, entry: Entry, state: State, *, expected: tuple[State, ...], **columns: Any
    ) -> Entry:
        return await self._worker.run(
            self._update, entry, expected, columns | {"state": state.value}
        )

    def _update(
        self, entry: Entry, expected: tuple[State, ...], columns: Mapping[str, Any]
    ) -> Entry:
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
            return self._rows("WHERE id = ?", entry.id)[0]

    def _delete(self, entry: Entry) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM shots WHERE id = ?", (entry.id,))
            db.execute("DELETE FROM carried WHERE shot = ?", (entry.id,))

    async def _select(self, clause: str, *values: object) -> list[Entry]:
        return await self._worker.run(self._rows, clause, *values)

    def _rows(self, clause: str, *values: object) -> list[Entry]:
        return [entry_of(row) for row in self._db.rows(f"SELECT * FROM shots {clause}", *values)]
