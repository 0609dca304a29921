"""Rows that the user deletes: shown no more, and counted all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import BudgetExceededError, LedgerUnavailableError
from vidu.ledger import Budget, Search
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

IMAGE = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)
FILE = SavedFile(Path("1.mp4"), 7, "cd" * 32, 64, 48, 24.0, 96, 4.0)


def shot(number: int) -> Request:
    return Request(VIDU_IMAGE_TO_VIDEO, f"shot {number} at sea", media={"image": (IMAGE,)})


def handle(number: int) -> RequestHandle:
    return RequestHandle(f"r-{number}", "https://q/s", "https://q/r", "https://q/c")


def save(ledger: Ledger, number: int) -> Entry:
    row = ledger.mark_submitting(ledger.reserve(shot(number), Budget()), {})
    row = ledger.mark_finished(
        ledger.mark_submitted(row, handle(number)), Output("https://x/1.mp4")
    )
    return ledger.mark_saved(row, FILE)


@pytest.fixture
def ledger(home: Path):
    with Ledger.open(home) as ledger:
        yield ledger


def test_deleted_row_is_shown_no_more_and_its_amount_still_counts(ledger):
    row = save(ledger, 2)
    save(ledger, 3)
    spent = ledger.spent_today()
    ledger.delete(row)
    assert (ledger.get(row.id), ledger.active(row.fingerprint)) == (None, None)
    assert ledger.search(Search(text="shot 2 ")).total == 0
    assert ledger.get_by_prefix(row.request_id) == []
    assert ledger.has_request(row.request_id)
    assert ledger.spent_today() == spent
    with pytest.raises(BudgetExceededError):
        ledger.reserve(shot(2), Budget(spent))
    assert ledger.reserve(shot(2), Budget()).id > row.id


def test_deleted_reservation_costs_nothing(ledger):
    ledger.delete(ledger.reserve(shot(1), Budget()))
    assert ledger.spent_today() == 0


def test_request_that_the_ledger_has_is_not_taken_for_another_row(ledger):
    save(ledger, 1)
    row = ledger.mark_submitting(ledger.reserve(shot(2), Budget()), {})
    with pytest.raises(LedgerUnavailableError):
        ledger.mark_submitted(row, handle(1))
    assert ledger.get(row.id).state is State.SUBMITTING
