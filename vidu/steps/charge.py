"""The charge of an error that stops a shot."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import Charge, GenerationError, ViduError
from ..models import Entry, State

CHARGE_BY_STATE: Mapping[State, Charge] = MappingProxyType(
    {
        State.RESERVED: Charge.NOT_SPENT,
        State.SUBMITTING: Charge.MAYBE_SPENT,
        State.SUBMITTED: Charge.PENDING,
        State.CANCELLED: Charge.PENDING,
        State.FINISHED: Charge.SPENT,
        State.SAVED: Charge.SPENT,
    }
)
"""What becomes of the money of a row in this state."""

CHARGE_BY_BILLED: Mapping[bool | None, Charge] = MappingProxyType(
    {True: Charge.CHARGED, False: Charge.NOT_SPENT, None: Charge.MAYBE_SPENT}
)
"""What became of the money of a FAILED row."""


def charge_of_entry(entry: Entry) -> Charge:
    """Return what became, or will become, of the money of a row."""
    if entry.state is State.FAILED:
        return CHARGE_BY_BILLED[entry.billed] if entry.submitting_at else Charge.NOT_SPENT
    return CHARGE_BY_STATE[entry.state]


def charge_of_error(error: ViduError, entry: Entry, *, is_free: bool) -> Charge:
    """Return what became of the money when `error` stopped a step that began with `entry`.

    Args:
        error: The error. That nothing was charged is believed only of one with which fal ended the
            request; any other comes from the way to fal, this machine or the ledger, which change
            nothing about a request that was paid for.
        entry: The row as it was when the step began.
        is_free: Whether the provider never charges.
    """
    if is_free:
        return Charge.NOT_SPENT
    if error.charge is Charge.NOT_SPENT and not isinstance(error, GenerationError):
        return charge_of_entry(entry)
    return error.charge
