"""A process killed (SIGKILL) beside each step of the ledger and each call of the provider.

Then the same shot is run until it succeeds. Whatever was interrupted: no second job while the
first may be alive or was billed, and its clip comes home whole.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger

from ...support.scenario import ShotSpec
from ...support.shots import SHORT, STEPS, problems, run, shot

pytestmark = pytest.mark.timeout(1800)  # all histories of the file are run at once

ROOT = Path(__file__).parents[3]
WORKERS = 8  # most of a cell is waiting

# What makes a run come to a step, where it is not on every run's way.
LEADING_TO = {
    "find_lost_request": "fal accepted_then_502:1",
    "find_output": "fal result_expired:1",
    "has_request": "fal accepted_then_502:1",
    "mark_failed": "fal content_policy_violation:1",
    "mark_unsent": "fal submit_429:1",
}
# The user interrupts these; killed before it is cancelled the job goes on, killed after, not.
CANCELLING = ("mark_cancelled", "cancel")


def history(step: str, when: str) -> list[str]:
    killing = f"kill {when}:{step}"
    if step in CANCELLING:
        return [f"{killing} generating"]
    return [LEADING_TO[step], killing] if step in LEADING_TO else [killing]


assert {*LEADING_TO, *CANCELLING} <= {*STEPS}
CELLS = {f"{when} {step}": history(step, when) for step in STEPS for when in ("before", "after")}
CELLS["again and again"] = [
    f"kill after:{step}"
    for step in ("reserve", "submit", "find_lost_request", "result", "download")
]


@pytest.mark.parametrize("cell", CELLS)
def test_run_after_a_kill_at_each_step_pays_once_and_saves_the_clip(cell, outcomes, tally):
    outcome = outcomes[cell]
    tally(outcome)
    found = outcome["problems"]
    if cell == "before mark_saved":
        # Killed between the file's last byte and its row, the whole file may stand there twice.
        found = [each for each in found if not each.startswith("beside the clip")]
    assert found == [], outcome
    assert outcome["killed"] == sum(step.startswith("kill") for step in CELLS[cell]), outcome
    assert outcome["billed"] == 1, outcome
    if cell not in {
        "before mark_failed",
        "after mark_failed",
        "before mark_cancelled",  # fal is told beside the ledger, so it may know already
        *(f"after {step}" for step in CANCELLING),
    }:
        assert outcome["jobs"] == 1, outcome


def test_reservation_of_a_killed_run_does_not_block_its_shot_at_the_budget(fal, vidu_home, clips):
    subprocess.run(
        [
            *(sys.executable, "-m", "tests.support.crash_child", vidu_home, clips),
            *(json.dumps(asdict(ShotSpec())), "before:upload"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with BlockingLedger.open(vidu_home) as ledger:
        assert ledger.spent_today() == Decimal("0.20")
    # The reservation is the shot's own, and does not stand in its way.
    settings = replace(SHORT, daily_budget_usd=Decimal("0.20"))
    clip = asyncio.run(run(shot(), vidu_home, clips, settings=settings))
    assert problems(fal, vidu_home, clips, shot(), clip) == []
