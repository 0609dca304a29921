"""Rows found again: pages, ids, prefixes, what is unfinished."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vidu.endpoints import ENDPOINTS
from vidu.ledger import Budget, Search
from vidu.models import State
from vidu.request import Request

from ...support.ledger_rows import FILE, FILE_ONLY, FREE, OUTPUT, handle, reserve_in_state, shot


def test_entries_are_newest_first_a_page_at_a_time(ledger):
    ids = [ledger.reserve(shot(number), Budget(FREE)).id for number in range(7)]
    assert [row.id for row in ledger.entries()] == ids[::-1]
    assert [row.id for row in ledger.entries(limit=3)] == ids[:3:-1]
    assert [row.id for row in ledger.entries(limit=3, offset=6)] == ids[:1]
    assert ledger.entries(limit=3, offset=7) == []


def test_unfinished_returns_rows_that_fal_may_owe_a_clip_for(ledger):
    rows = [reserve_in_state(state, ledger, shot(number)) for number, state in enumerate(State)]
    owed = {State.SUBMITTING, State.SUBMITTED, State.CANCELLED, State.FINISHED}
    assert ledger.unfinished() == [row for row in rows if row.state in owed]


def test_get_by_prefix_of_id_request_or_fingerprint_returns_the_row(ledger):
    rows = [reserve_in_state(State.SUBMITTED, ledger, shot(number)) for number in range(3)]
    for row in rows:
        assert ledger.get_by_prefix(str(row.id)) == [row]
        assert (
            ledger.get_by_prefix(row.fingerprint)
            == ledger.get_by_prefix(row.fingerprint[:8])
            == [row]
        )
    assert ledger.get_by_prefix(rows[0].request_id) == [rows[0]]


@pytest.mark.parametrize(
    "name", ["", "*", "********", "........", "????????", "%%%%%%%%", "________", "[0-9a-f]", "-1"]
)
def test_get_by_prefix_with_a_pattern_finds_nothing(ledger, name):
    """What is found may be forgotten, and what is forgotten is paid for again."""
    reserve_in_state(State.SUBMITTED, ledger)
    assert ledger.get_by_prefix(name) == []


@pytest.mark.parametrize("length", range(1, 8))
def test_get_by_prefix_with_a_few_digits_finds_nothing(ledger, length):
    row = reserve_in_state(State.SUBMITTED, ledger, shot(11))
    assert ledger.get_by_prefix(row.fingerprint[:length]) == []


@FILE_ONLY
def test_forget_command_names_the_row_and_its_folder(ledger, home):
    row = reserve_in_state(State.SUBMITTING, ledger)
    command = ledger.delete_command(row)
    assert f"forget {row.id}" in command
    assert str(home) in command


def test_reserve_after_forget_makes_a_row_with_a_new_id(ledger):
    row = reserve_in_state(State.SAVED, ledger)
    ledger.delete(row)
    assert ledger.active(row.fingerprint) is None
    assert ledger.reserve(shot(), Budget(FREE)).id > row.id


def test_search_by_a_seed_finds_the_one_that_was_sent_and_the_one_that_vidu_drew(ledger):
    drawn_here = ledger.reserve(shot(1), Budget(FREE))
    ledger.mark_submitting(drawn_here, {"seed": 4711, "prompt": 'says "seed": 12, aloud'})
    drawn_by_vidu = reserve_in_state(State.SAVED, ledger, shot(2))
    asked_for = ledger.reserve(replace(shot(3), seed=815), Budget(FREE))

    def found(text: str) -> list[int]:
        return [row.id for row in ledger.search(Search(text=text)).entries]

    assert found("4711") == [drawn_here.id]
    assert found(str(OUTPUT.seed)) == [drawn_by_vidu.id]
    assert found("815") == [asked_for.id]
    assert found("471") == found("12") == found("47%") == []
    assert ledger.get(drawn_here.id).used_seed == 4711
    assert ledger.get(drawn_by_vidu.id).used_seed == OUTPUT.seed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1080p", ["eight"]),
        ("1080P", ["eight"]),
        ("8 s", ["eight"]),
        ("8s", ["eight"]),
        ("5 s", ["made"]),
        ("3:4", ["eight"]),
        ("1280x720", ["made"]),
        ("1280 \u00d7 720", ["made"]),
        ("720", []),
        ("1080", []),
        ("duration", []),
        ("resolution", []),
        ("1280x72", []),
        ('a": "b', []),
    ],
)
def test_search_by_what_a_card_shows_finds_the_clip(ledger, text, found):
    endpoint = ENDPOINTS["fal-ai/vidu/q3/text-to-video"]
    eight = {"duration": 8, "resolution": "1080p", "aspect_ratio": "3:4"}
    rows = {"eight": ledger.reserve(Request(endpoint, "A wave", 1, eight), Budget(FREE))}
    five = ledger.reserve(Request(endpoint, "A gull", 2, {"resolution": "360p"}), Budget(FREE))
    five = ledger.mark_submitting(five, {})
    five = ledger.mark_finished(ledger.mark_submitted(five, handle(five)), OUTPUT)
    rows["made"] = ledger.mark_saved(five, replace(FILE, duration_s=5.04))
    names = {row.id: name for name, row in rows.items()}
    assert [names[row.id] for row in ledger.search(Search(text=text)).entries] == found
