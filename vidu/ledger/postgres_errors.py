"""Errors of PostgreSQL as errors of this pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DatabaseUnreachableError, LedgerUnavailableError

if TYPE_CHECKING:
    import psycopg


def to_ledger_error(place: str, error: psycopg.Error) -> LedgerUnavailableError:
    """Return what went wrong at the server as an error of this pack's."""
    import psycopg

    words = str(error).strip().replace("\n", " ") or type(error).__name__
    gone = (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.IdleInTransactionSessionTimeout,
    )
    if isinstance(error, gone):
        return DatabaseUnreachableError(
            f"The ledger of paid clips at {place} cannot be reached ({words}).",
            "Check that the PostgreSQL server runs and this machine may use it, then run again.",
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return LedgerUnavailableError(
            f"The ledger at {place} cannot be used: the role lacks a right ({words}).",
            "Let its owner run: CREATE SCHEMA vidu AUTHORIZATION <role>;",
        )
    return LedgerUnavailableError(
        f"The ledger of paid clips at {place} cannot be used ({words}).", "Run again."
    )
