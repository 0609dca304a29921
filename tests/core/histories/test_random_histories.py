"""Random histories of a shot: whatever befalls it, it is paid for once and its clip comes home.

It is run, run twice at once, killed, interrupted, its file is lost, and fal fails meanwhile. After
any such history it is run until it succeeds: then no job was asked for while another may have been
alive or had been billed, and the clip on disk is whole, packet for packet fal's.

A longer hunt, through new histories each time, until it is stopped or finds one:
pytest tests/core/test_property.py --hypothesis-profile=hunt
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_fal.faults import (
    ACCOUNT,
    DOWNLOAD,
    GENERATION,
    JOB_FAULTS,
    KINDS,
    LISTING,
    ODD_DETAILS,
    PLACES,
    RESULT,
    STORAGE,
    SUBMIT,
)
from vidu.progress import Phase

from ...support.history_pool import HistoryPool
from ...support.pending_faults import PENDING
from ...support.shots import STEPS

SIDE_BY_SIDE = 16
PHASES = [phase.value for phase in Phase if phase not in (Phase.DECODING, Phase.DONE)]


def at(*places: str) -> list[str]:
    assert set(places) <= set(PLACES)
    return [f"{place}_{kind}" for place in places for kind in (*KINDS, "reset", "timeout")]


def one_of(names: Collection[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(sorted(set(names) - PENDING))


a_fault = st.one_of(
    one_of(SUBMIT),
    one_of([*at("submit", "token", "upload"), *ACCOUNT, *STORAGE]),
    one_of({*at("status", "result"), *RESULT} - JOB_FAULTS),
    one_of([*at("cancel", "listing"), *LISTING]),
    one_of([*at("download"), *DOWNLOAD]),
    one_of({*GENERATION, *ODD_DETAILS} - {"slow"}),
)
seconds = st.sampled_from(["", " 0.05", " 0.3", " 1.2"])
a_run = st.one_of(
    st.just("run"),
    st.builds("{} {}{}".format, one_of(["cancel", "teardown"]), one_of(PHASES), seconds),
    st.builds("kill {}:{}".format, one_of(["before", "after"]), one_of(STEPS)),
    st.builds("kill {}".format, st.sampled_from([1.0, 1.5, 2.0, 3.0])),
)
a_step = st.one_of(
    a_run,
    st.builds("{} & {}".format, a_run, a_run),
    one_of(["remove", "damage"]),
    st.builds("fal {}:{}".format, a_fault, st.integers(1, 2)),
    st.builds("fal {}:1,{}:1".format, a_fault, a_fault),
)
a_history = st.lists(a_step, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def stage(bare_environment) -> Iterator[HistoryPool]:
    with HistoryPool(SIDE_BY_SIDE) as stage:
        yield stage


@settings(max_examples=settings().max_examples // 30, suppress_health_check=list(HealthCheck))
@given(st.lists(a_history, min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE))
def test_whatever_befalls_a_shot_it_is_paid_for_once_and_comes_home(stage, tally, histories):
    for history, outcome in zip(histories, stage.play(histories), strict=True):
        tally(outcome)
        # What was damaged, and what was saved twice for a kill, is the user's to remove.
        found = [each for each in outcome["problems"] if not each.startswith("beside the clip")]
        assert found == [], (history, outcome)
