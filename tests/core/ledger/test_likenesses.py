"""The same picture read by another decoder is not paid for again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from blocking_ledger import BlockingLedger as Ledger

from vidu.builders import image_to_video
from vidu.ledger import Budget
from vidu.ledger.likenesses import pack, unpack
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import State
from vidu.request import Request

RNG = np.random.default_rng(5)
PICTURE = RNG.integers(20, 230, (360, 640, 3), np.uint8)


def shot(change: int = 0, *, seed: int = 1, prompt: str = "The tide comes in.") -> Request:
    """A request whose picture differs by a decoder's rounding, or visibly."""
    return image_to_video((PICTURE + change).astype(np.uint8), prompt, seed=seed)


@pytest.fixture
def ledger(home: Path):
    with Ledger.open(home) as ledger:
        yield ledger


def test_reserve_the_same_picture_read_by_another_decoder_is_handed_its_row(ledger):
    row = ledger.reserve(shot(), Budget())
    again = ledger.reserve(shot(1), Budget())
    assert shot(1).fingerprint != shot().fingerprint
    assert again == row
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize(
    "other", [shot(1, seed=2), shot(1, prompt="The tide goes out."), shot(20)], ids=str
)
def test_reserve_another_seed_prompt_or_picture_is_a_new_row(ledger, other):
    row = ledger.reserve(shot(), Budget())
    assert ledger.reserve(other, Budget()).id != row.id


def test_reserve_after_the_like_has_failed_is_a_new_row(ledger):
    row = ledger.mark_unsent(ledger.reserve(shot(), Budget()), "stopped")
    assert (row.state, ledger.reserve(shot(1), Budget()).state) == (State.FAILED, State.RESERVED)


def test_reserve_after_the_like_was_deleted_is_a_new_row(ledger):
    row = ledger.reserve(shot(), Budget())
    ledger.delete(row)
    assert ledger.reserve(shot(1), Budget()).id != row.id


def test_reserve_the_like_of_a_row_from_the_journal_is_handed_that_row(tmp_path):
    with Ledger.open(tmp_path) as ledger:
        row = ledger.mark_submitting(ledger.reserve(shot(), Budget()), {})
    (tmp_path / LEDGER_FILE).unlink()
    with Ledger.open(tmp_path) as ledger:
        assert ledger.reserve(shot(1), Budget()) == row


@pytest.mark.parametrize("damaged", [b"", b"x", pack([b"abc"])[:-3]])
def test_unpack_damaged_pictures_are_none(damaged):
    assert unpack(damaged) == []
    assert unpack(pack([b"abc", b"d"])) == [b"abc", b"d"]
