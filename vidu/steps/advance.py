"""The table of states and steps, and the loop that follows it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from ..errors import Charge, UnexpectedError, ViduError
from ..models import Entry, State
from .charge import charge_of_entry, charge_of_error
from .context import Context
from .poll import poll
from .retrieve import retrieve
from .search import search
from .submit import submit
from .verify import verify

log = logging.getLogger(__name__)

Step = Callable[[Context, Entry], Awaitable[Entry]]
"""Moves a row on and returns it as it is then."""

STEPS: Mapping[State, Step] = MappingProxyType(
    {
        State.RESERVED: submit,
        State.SUBMITTING: search,
        State.SUBMITTED: poll,
        State.CANCELLED: poll,
        State.FINISHED: retrieve,
        State.SAVED: verify,
    }
)
"""The step that a row in this state takes next; FAILED is the end of a row."""


async def advance(context: Context, entry: Entry) -> Entry:
    """Take step after step until the clip is saved, or the row has FAILED.

    Args:
        context: The run.
        entry: A row that has not FAILED.

    Raises:
        ViduError: A step failed; the error says what became of the money.
    """
    while True:
        try:
            entry = await STEPS[entry.state](context, entry)
        except ViduError as error:
            charge = charge_of_error(error, entry, is_free=not context.provider.charges)
            request_id = error.request_id or entry.request_id or None
            if (charge, request_id) == (error.charge, error.request_id):
                raise
            raise error.with_charge(charge, request_id) from error
        except Exception as error:
            raise await _unexpected(context, entry, error) from error
        if entry.state in (State.SAVED, State.FAILED):
            return entry


async def _unexpected(context: Context, entry: Entry, error: Exception) -> UnexpectedError:
    log.exception("Request %s stopped at %s.", entry.request_id, entry.state.value)
    try:
        now = await context.ledger.get(entry.id) or entry  # the step may have got further
    except ViduError:
        now = entry
    return UnexpectedError(
        f"Request {now.request_id or '(not yet made)'} stopped with an unexpected "
        f"{type(error).__name__}: {error}",
        charge=charge_of_entry(now) if context.provider.charges else Charge.NOT_SPENT,
        request_id=now.request_id or None,
    )
