"""The ledger: every paid request, from before the money moves to the file on disk.

::

           reserve         mark_submitting      mark_submitted    mark_finished  mark_saved
    (none) -------> RESERVED -------> SUBMITTING -------> SUBMITTED ------> FINISHED -----> SAVED
                       |                  |                |   ^                ^             |
                       |                  | never          |   | not heeded     | file gone   |
                       | unsent           | arrived        v   |                +-------------+
                       |                  |             CANCELLED
                       v                  v                v
                    FAILED <---------- FAILED <-------- FAILED

RESERVED    wanted and within the budget; nothing has been sent
SUBMITTING  the paid POST may or may not have arrived; written before it is made
SUBMITTED   fal has it, under a request id
CANCELLED   fal was told to cancel it; the next run of the shot asks what became of it
FINISHED    fal has the output
SAVED       the file is on disk
FAILED      over; only a shot whose rows have all FAILED may be reserved again

A unique index holds the first promise: at most one row that has not FAILED for one fingerprint, so
that neither a bug nor a race can pay twice. Each change names the states it expects, and fails
when another process was faster. A row is on disk before the call returns.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..models import Entry, Output, RequestHandle, SavedFile, State
from ..request import Request
from . import queries, writes
from .budget import Budget, start_of_day, start_of_month
from .database import Database
from .importing import Outcome, import_rows
from .queries import Page, Search
from .reservation import reserve
from .rows import UnreadableEntry, file_columns, handle_columns, output_columns
from .sums import Spending, read_spending
from .worker import Worker


class Ledger:
    """Every paid request of one user or one studio, shared by all who open it.

    Each method that reads or writes the database does so in a thread of the ledger's own, to its
    end even when the calling task is cancelled.

    Args:
        database: The open database; whoever opened it closes it.
        worker: The thread that uses it.
    """

    def __init__(self, database: Database, worker: Worker) -> None:
        self._db = database
        self._worker = worker
        self._reserved_usd: dict[int, Decimal] = {}  # by this object: one run
        self._submitting: dict[int, Entry] = {}  # rows that this object moved there
        self._asked_at: dict[int, float] = {}  # when it last asked for such a move

    @property
    def place(self) -> str:
        """Where the ledger is, in words: a file, or a server without the password."""
        return self._db.place

    @property
    def host(self) -> str:
        """This machine's name in the ledger."""
        return self._db.host

    @property
    def is_shared(self) -> bool:
        """Whether other machines use it as well."""
        return self._db.is_shared

    def now(self) -> float:
        """Return the ledger's time, in seconds since 1970."""
        return self._db.now()

    @contextlib.asynccontextmanager
    async def lock_shot(
        self, fingerprint: str, on_waiting: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Hold the lock of a shot: one run at a time, over all who use this ledger.

        Args:
            fingerprint: The shot.
            on_waiting: Called about once a second while another run holds the lock, with the name
                of the machine that is at work, or "" when it is this one.

        Raises:
            LedgerUnavailableError: The lock cannot be taken.
        """
        async with self._db.lock_shot(fingerprint, on_waiting):
            yield

    # -- reading ---------------------------------------------------------------------------------

    async def active(self, fingerprint: str) -> Entry | None:
        """Return the one row of this shot that has not FAILED, if there is one."""
        return await self._worker.run(queries.find_active, self._db, fingerprint)

    async def newest(self, fingerprint: str) -> Entry | None:
        """Return the row of this shot that was added last, also when it has FAILED."""
        return await self._worker.run(queries.find_newest, self._db, fingerprint)

    async def get(self, entry_id: int) -> Entry | None:
        """Return the row with this id."""
        rows = await self._worker.run(queries.select, self._db, "id = ?", entry_id)
        return rows[0] if rows else None

    async def find(self, entry_id: int) -> Entry | UnreadableEntry | None:
        """Return the row with this id, also one that cannot be read."""
        return await self._worker.run(queries.find_row, self._db, entry_id)

    async def get_by_prefix(self, name: str) -> list[Entry | UnreadableEntry]:
        """Return rows whose id or request id is `name`, or whose fingerprint begins with it."""
        return await self._worker.run(queries.find_by_name, self._db, name)

    async def entries(
        self, *, limit: int | None = None, offset: int = 0
    ) -> list[Entry | UnreadableEntry]:
        """Return rows, newest first."""
        return (await self.search(Search(), offset=offset, limit=limit)).entries

    async def search(self, wanted: Search, *, offset: int = 0, limit: int | None = None) -> Page:
        """Return a page of rows, newest first, with the number of all that were found.

        Args:
            wanted: What is looked for.
            offset: How many of the newest rows to pass over.
            limit: The most rows to return.
        """
        return await self._worker.run(queries.search, self._db, wanted, offset, limit)

    async def endpoints(self) -> list[str]:
        """Return the endpoints of what is shown."""
        return await self._worker.run(queries.find_endpoints, self._db)

    async def hosts(self) -> list[str]:
        """Return the names of the machines that made what is shown."""
        return await self._worker.run(queries.find_hosts, self._db)

    async def unfinished(self) -> list[Entry]:
        """Return the rows that fal may still owe a file for, oldest first."""
        condition = f"{queries.OWED} ORDER BY id"
        return await self._worker.run(queries.select, self._db, condition)

    async def has_other_of_request(self, entry: Entry, request_id: str) -> bool:
        """Return whether any row but this one is of the request with this id."""
        return await self._worker.run(queries.has_other_of_request, self._db, entry, request_id)

    async def has_request(self, request_id: str) -> bool:
        """Return whether any row, a deleted one included, is of this request of fal's."""
        return await self._worker.run(queries.has_request, self._db, request_id)

    async def spent_since(self, moment: float) -> Decimal:
        """Return US dollars spent or reserved since `moment`, in seconds since 1970.

        A failed row counts unless it is known that fal did not bill it; a deleted one counts.
        """
        return await self._worker.run(queries.spent_since, self._db, moment)

    async def spent_today(self) -> Decimal:
        """Return US dollars spent or reserved since midnight UTC by the ledger's clock.

        It is shown. What the budget of a day holds is counted by fal's clock, see `budget.py`.
        """
        return await self.spent_since(start_of_day(self.now()))

    async def spent_this_month(self) -> Decimal:
        """Return US dollars spent or reserved since the first of the month, UTC."""
        return await self.spent_since(start_of_month(self.now()))

    async def spending_today(self) -> Spending:
        """Return what was spent since midnight UTC, with what is not known apart."""
        moment = start_of_day(self.now())
        return await self._worker.run(read_spending, self._db, moment)

    async def spending_this_month(self) -> Spending:
        """Return what was spent since the first of the month, UTC, as `spending_today` does."""
        moment = start_of_month(self.now())
        return await self._worker.run(read_spending, self._db, moment)

    async def daily_budget(self) -> Decimal:
        """Return the daily limit in US dollars that all machines share; 0 is none."""
        return await self._worker.run(queries.shared_daily_budget, self._db)

    async def is_incomplete(self) -> bool:
        """Return whether rows were lost that may have been paid for.

        `reserve` refuses new shots until the user has called `accept_loss`.
        """
        return bool(await self._worker.run(queries.incomplete_since, self._db))

    # -- the way of a shot -----------------------------------------------------------------------

    async def reserve(
        self, request: Request, budget: Budget, server_time: float | None = None
    ) -> Entry:
        """Write down that this shot is wanted, and reserve its price.

        Args:
            request: The shot.
            budget: What the day, and all that this object reserves, may cost.
            server_time: fal's own time now, in seconds since 1970; None when it is not known, and
                then no new day begins.

        Returns:
            The new row, or the active one of this shot, or that of the same shot with the same
            picture read by another decoder: then its fingerprint is another one.

        Raises:
            BudgetExceededError: The reservation would go over the budget.
            LedgerIncompleteError: The ledger lost rows, so the shot may have been paid already.
            LedgerUnavailableError: It cannot be written down.
        """
        return await self._worker.run(self._reserve, request, budget, server_time)

    async def save_metadata(self, entry: Entry, metadata: Mapping[str, str]) -> None:
        """Write down the texts that the clip is to carry, for whoever resumes it.

        Args:
            entry: The row.
            metadata: Such as `workflow` and `prompt`; tens of kilobytes, and stored compressed.
        """
        await self._worker.run(writes.save_metadata, self._db, entry.id, metadata)

    async def load_metadata(self, entry: Entry) -> Mapping[str, str]:
        """Return the texts that the clip is to carry."""
        return await self._worker.run(queries.load_metadata, self._db, entry.id)

    async def mark_submitting(
        self,
        entry: Entry,
        arguments: Mapping[str, Any],
        *,
        max_lifetime_s: float | None = None,
        account: str | None = None,
        server_time: float | None = None,
        budget: Budget = Budget(),  # noqa: B008 (frozen)
    ) -> Entry:
        """RESERVED to SUBMITTING: from here until the reply nobody knows what fal has.

        Args:
            entry: The row.
            arguments: The body of the paid POST.
            max_lifetime_s: How long the request can live, in seconds, by the settings of now.
            account: Whose request it is.
            server_time: fal's own time now, in seconds since 1970; None when it is unknown.
            budget: What the day may cost, in case that a new one has begun since it was reserved.

        Raises:
            BudgetExceededError: It does not fit into the budget of the new day.
            LedgerUnavailableError: It cannot be written down, or the shot's lock was lost.
        """
        await self.check_lock(entry)
        columns = {
            "arguments": json.dumps(dict(arguments)),
            "max_lifetime_s": max_lifetime_s,
            "account": account,
            "submitting_server_time": server_time,
        }
        return await self._worker.run(self._mark_submitting, entry, columns, budget, server_time)

    async def check_lock(self, entry: Entry) -> None:
        """Make sure that the lock of a row's shot, once taken, has not been lost.

        Raises:
            LedgerUnavailableError: It was lost, so another run may be at work on the shot.
        """
        await self._worker.run(self._db.check_lock, entry.fingerprint)

    async def mark_submitted(self, entry: Entry, handle: RequestHandle) -> Entry:
        """Move SUBMITTING to SUBMITTED: fal has it."""
        columns = handle_columns(handle)
        return await self._move(
            entry, State.SUBMITTED, (State.SUBMITTING,), columns, "submitted_at"
        )

    async def mark_cancelled(self, entry: Entry) -> Entry:
        """Move SUBMITTED to CANCELLED: fal is asked to cancel it."""
        expected = (State.SUBMITTED, State.CANCELLED)
        return await self._move(entry, State.CANCELLED, expected, {}, "cancelled_at")

    async def mark_finished(self, entry: Entry, output: Output) -> Entry:
        """Any state with a request to FINISHED: fal has the output."""
        expected = (State.SUBMITTED, State.CANCELLED, State.FINISHED, State.SAVED)
        columns = output_columns(output)
        time_column = None if entry.finished_at else "finished_at"
        return await self._move(entry, State.FINISHED, expected, columns, time_column)

    async def mark_saved(self, entry: Entry, file: SavedFile) -> Entry:
        """FINISHED to SAVED: the file is on disk, on this machine."""
        columns = {**file_columns(file), "host": self._db.host}
        return await self._move(entry, State.SAVED, (State.FINISHED,), columns, "saved_at")

    async def mark_failed(self, entry: Entry, failure: str, *, billed: bool | None) -> Entry:
        """Any state to FAILED.

        Args:
            entry: The row as it was last seen.
            failure: The reason, in words.
            billed: Whether fal charged for it; `None` when that is not known.
        """
        return await self._fail(entry, (entry.state,), failure, billed)

    async def mark_unsent(self, entry: Entry, failure: str) -> Entry:
        """RESERVED or SUBMITTING to FAILED: the paid POST was not made, and never will be.

        Args:
            entry: The row, which a `mark_submitting` of this object that was cancelled, or whose
                answer was lost, may have moved since.
            failure: The reason, in words.

        Raises:
            LedgerUnavailableError: It cannot be written down, or another process moved the row and
                may be paying for it.
        """
        newest = await self._worker.run(self._newest, entry)
        return await self._fail(newest, (newest.state,), failure, billed=False)

    def delete_command(self, entry: Entry) -> str:
        """Return the shell command that deletes this row, for the user's own decision."""
        return self._db.command("forget", entry.id)

    async def delete(self, entry: Entry | UnreadableEntry) -> None:
        """Show the row no more, so that its shot may be paid for again; its amount still counts."""
        await self._worker.run(writes.delete, self._db, entry.id)

    async def import_file(self, path: Path) -> Counter[Outcome]:
        """Add the rows of another ledger's file; see `importing.import_rows`."""
        return await self._worker.run(import_rows, self._db, path)

    async def store_daily_budget(self, usd: Decimal) -> None:
        """Set the daily limit that all machines share, beside what each sets for itself."""
        await self._worker.run(writes.store_daily_budget, self._db, usd)

    async def accept_loss(self) -> None:
        """Take the ledger for complete again: the user has looked for the lost rows."""
        await self._worker.run(writes.accept_loss, self._db)

    # -- inside ----------------------------------------------------------------------------------

    def _reserve(self, request: Request, budget: Budget, server_time: float | None) -> Entry:
        # In the ledger's thread, which runs one function after the other: of two shots side by
        # side the second sees what the first has reserved, even when a task was cancelled.
        spent_by_run = sum(self._reserved_usd.values(), Decimal(0))
        entry = reserve(self._db, request, budget, spent_by_run, server_time)
        if entry.state is State.RESERVED:
            self._reserved_usd[entry.id] = entry.price_usd
        return entry

    def _mark_submitting(
        self,
        entry: Entry,
        columns: Mapping[str, Any],
        budget: Budget,
        server_time: float | None,
    ) -> Entry:
        columns = {**columns, "submitting_at": self._db.now()}
        self._asked_at[entry.id] = columns["submitting_at"]
        moved = writes.mark_submitting(self._db, entry, columns, budget, server_time)
        # Known here even when the task is cancelled or the journal cannot be written.
        self._submitting[entry.id] = moved
        writes.record(self._db, moved)
        return moved

    def _newest(self, entry: Entry) -> Entry:
        moment = self._asked_at.get(entry.id)
        if entry.id in self._submitting or moment is None:
            return self._submitting.get(entry.id, entry)
        own = "id = ? AND state = 'submitting' AND submitting_at = ?"
        return next(iter(queries.select(self._db, own, entry.id, moment)), entry)

    async def _fail(
        self, entry: Entry, expected: Sequence[State], failure: str, billed: bool | None
    ) -> Entry:
        columns = {
            "failure": failure.replace("\0", " "),
            "billed": None if billed is None else int(billed),
        }
        failed = await self._move(entry, State.FAILED, expected, columns, "failed_at")
        if billed is False:
            await self._worker.run(self._reserved_usd.pop, entry.id, None)
        return failed

    async def _move(
        self,
        entry: Entry,
        state: State,
        expected: Sequence[State],
        columns: Mapping[str, Any],
        time_column: str | None,
    ) -> Entry:
        moved = await self._worker.run(
            writes.update, self._db, entry, state, expected, columns, time_column
        )
        self._submitting.pop(entry.id, None)
        return moved
