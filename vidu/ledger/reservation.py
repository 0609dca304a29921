"""The reservation of a shot: a new row, or the one that any ledger of this user has of it."""

from __future__ import annotations

import json
from decimal import Decimal

from ..errors import LedgerIncompleteError, LedgerUnavailableError
from ..models import Entry, State
from ..request import Request
from .budget import Budget
from .daily_budget import check_day, date_rows
from .database import Database, until_answered
from .likenesses import find_alike, keep
from .queries import find_active, incomplete_since, shared_daily_budget
from .rows import MICRO, search_text
from .writes import TIMEOUT_BEFORE_PAYING_S, insert, journaled


def reserve(
    db: Database,
    request: Request,
    budget: Budget,
    spent_by_run: Decimal,
    server_time: float | None = None,
) -> Entry:
    """Add a RESERVED row for a shot, or return its active one; see `Ledger.reserve`."""
    return until_answered(
        TIMEOUT_BEFORE_PAYING_S, lambda: _reserve(db, request, budget, spent_by_run, server_time)
    )


def _reserve(
    db: Database,
    request: Request,
    budget: Budget,
    spent_by_run: Decimal,
    server_time: float | None,
) -> Entry:
    with db.reserving(), db.transaction(timeout_s=TIMEOUT_BEFORE_PAYING_S):
        active = (
            find_active(db, request.fingerprint) or find_alike(db, request) or _adopt(db, request)
        )
        if active:
            return active
        _check_completeness(db)
        budget = budget.lowered_to(shared_daily_budget(db))
        budget.check_run(request.price, spent_by_run)
        day_time = db.day_time(server_time)
        date_rows(db, day_time)
        check_day(db, budget, request.price, day_time)
        entry = insert(
            db,
            {
                "fingerprint": request.fingerprint,
                "endpoint": request.endpoint.id,
                "state": State.RESERVED.value,
                "prompt": request.prompt,
                "search_text": search_text(request.prompt),
                "seed": request.seed,
                "options": json.dumps(dict(request.options)),
                "likeness_key": request.likeness_key,
                "price_micro_usd": int(request.price * MICRO),
                "host": db.host,
                "revision": 0,
                "reserved_at": db.now(),
                "counted_at": day_time,
            },
        )
        keep(db, entry.id, request.likenesses)
        return entry


def _adopt(db: Database, request: Request) -> Entry | None:
    """Take over the row that another ledger of this user has of a shot, if there is one."""
    for opening in db.others():
        with opening as other:
            found = other.find(request)
            if found is None or _was_here(db, found):
                continue
            if found.state is State.RESERVED:
                # A run of the very same shot would have its lock, which this run has.
                if found.fingerprint != request.fingerprint and other.is_at_work(found.fingerprint):
                    raise LedgerUnavailableError(
                        "The same picture, read by another decoder, is being made into this clip "
                        f"by another run, with the ledger {other.place}.",
                        "Run this shot again when that run has ended: its clip is free then.",
                    )
                continue
            row = dict(other.rows("SELECT * FROM entries WHERE id = ?", found.id)[0])
            texts = other.rows("SELECT packed FROM metadata WHERE entry_id = ?", found.id)
            pictures = other.rows("SELECT packed FROM likenesses WHERE entry_id = ?", found.id)
        del row["id"]
        entry = insert(db, row)
        for table, rows in (("metadata", texts), ("likenesses", pictures)):
            for each in rows:
                db.execute(f"INSERT INTO {table} VALUES (?, ?)", entry.id, each["packed"])
        db.record(journaled(db, entry.id))
        return entry
    return None


def _was_here(db: Database, entry: Entry) -> bool:
    """Return whether a row was taken over before, and has failed or was deleted since."""
    return bool(
        db.rows(
            "SELECT 1 AS found FROM entries WHERE request_id = ? "
            "OR fingerprint = ? AND reserved_at = ?",
            entry.request_id or None,
            entry.fingerprint,
            entry.reserved_at,
        )
    )


def _check_completeness(db: Database) -> None:
    since = incomplete_since(db)
    if since:
        raise LedgerIncompleteError(
            f"The ledger at {db.place} was found damaged or gone ({since}) and may have lost rows, "
            "so this shot may have been paid for already.",
            "If its drive was not connected, connect it and run again. Else look for the shot at "
            "fal.ai/dashboard/requests. To go on without the lost rows, run "
            f"{db.command('ledger', 'accept-loss')}.",
        )
