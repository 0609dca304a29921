"""Every fault of local_fal at every step of a shot: one job is paid for, its clip comes home whole.

Each cell is a history: a way for a fault to strike, and then the same shot run until it succeeds.
"""

from __future__ import annotations

import pytest

from local_fal import FAULTS
from local_fal.faults import (
    DESCRIPTIONS,
    DOWNLOAD,
    JOB_FAULTS,
    LISTING,
    ODD_DETAILS,
    PLACES,
    REFUSED_MEDIUM,
    RESULT,
)
from local_fal.responses import INFRASTRUCTURE_ERRORS, MODEL_ERRORS

pytestmark = pytest.mark.timeout(1800)  # all histories of the file are run at once

WORKERS = 20  # most of a cell is waiting

# An image-to-video job without sound does not meet these.
ELSEWHERE = {"without_audio", "clip_instead"}
# fal ends such a job unbilled, and the next run asks for another.
ENDED = {"stuck_in_queue", *REFUSED_MEDIUM, *MODEL_ERRORS, *INFRASTRUCTURE_ERRORS, *ODD_DETAILS}
# What fal keeps of such a clip never becomes better: it is paid for once, and never comes home.
BROKEN = {
    *("video_missing", "video_null", "file_url", "http_url", "private_url"),
    *("cut_clip", "still_instead"),
}


def at(*places: str) -> set[str]:
    assert set(places) <= set(PLACES)
    return {f"{place}_{kind}" for place in places for kind in DESCRIPTIONS} & FAULTS.keys()


LISTED = {*at("listing"), *LISTING}
CANCELLED = {*at("cancel"), "cancel_ignored", "slow_cancel"}
MET = FAULTS.keys() - ELSEWHERE - LISTED - CANCELLED - {"no_range"}
REPEATED = {name for name in MET - ENDED if name.endswith(("_reset", "_timeout", "_500"))}

WAYS: dict[str, tuple[set[str], list[str]]] = {
    "once": (MET, ["fal {}:1"]),
    "twice": (REPEATED, ["fal {}:2"]),
    "throughout the first run": (MET - JOB_FAULTS, ["fal {}", "teardown uploading 8", "fal well"]),
    "in the run that resumes": (
        {*at("status", "result", "download"), *(RESULT.keys() - JOB_FAULTS), *DOWNLOAD},
        ["teardown generating", "fal {}:1"],
    ),
    "in the search for a lost request": (LISTED, ["fal accepted_then_dropped:1,{}:1"]),
    "in the search for a lost result": (LISTED, ["fal result_expired:1,{}:1"]),
    "in a transfer that broke": (
        {*at("download"), *DOWNLOAD},
        ["fal download_broken:1,{}:1"],
    ),
    "in fetching a lost file again": (
        {*at("download"), *DOWNLOAD},
        ["run", "remove", "fal {}:1"],
    ),
    "of a fragmented clip without a size": (
        {*DOWNLOAD},
        ["fal fragmented:1,url_only:1,{}:1"],
    ),
    "in the cancelling": (CANCELLED, ["fal {}:1,slow:1", "cancel generating"]),
}
CELLS = {
    f"{fault} {way}": [step.format(fault) for step in history]
    for way, (faults, history) in WAYS.items()
    for fault in FAULTS
    if fault in faults
}


def test_cells_strike_with_every_fault():
    assert {cell.split()[0] for cell in CELLS} == FAULTS.keys() - ELSEWHERE


@pytest.mark.parametrize("cell", CELLS)
def test_cell_pays_for_one_job_and_saves_its_clip(cell, outcomes, tally):
    outcome, fault = outcomes[cell], cell.split()[0]
    tally(outcome)
    assert outcome["problems"] == (["there is no clip"] if fault in BROKEN else []), outcome
    # A cancel that failed once is tried again, so that only the next run's job is billed.
    is_cancelled = fault in CANCELLED - {"cancel_ignored"}
    assert outcome["jobs"] == 1 + (fault in ENDED or is_cancelled), outcome
    assert outcome["billed"] == 1, outcome
    if fault not in ENDED and not is_cancelled:
        assert outcome["spent_usd"] == 0.20, outcome
    if fault in BROKEN:
        assert "paid for" in outcome["errors"][-1], outcome
