"""Runs histories of a shot on a local fal: one a line on stdin, its outcome on stdout, in JSON.

A history is a list of steps, such as
["fal accepted_then_dropped:1", "kill before:mark_submitted", "cancel searching 0.3", "run & run"]:

shot ENDPOINT [whole] the shot is one of this endpoint; first of all, else image-to-video; whole,
                      with a medium in each field, also where one may be left out
seed N                the shot has this seed; 0 lets Vidu choose
fal FAULTS            from here on fal fails so
fal well              from here on it does not fail
fal_clock S           from here on fal's clock is S seconds ahead of the true time
clock S               from here on this machine's clock is
decoder N             from here on another decoder reads the shot's images
twin                  another machine submits the same request, and waits for it
run                   the shot is run, to whatever end
cancel PHASE [S]      it is run, and the user cancels it S seconds after it reported this phase
teardown PHASE [S]    it is run, and torn down then
kill MOMENT [PHASE]   it is run in a process that kills itself there, see crash_child.py
kill S                it is run in a process that is killed after S seconds
remove                the saved file is removed
damage                the saved file is cut
retitle               the saved file gets a title, its packets as they are
hide, show            the folder of the clips is renamed, as a drive that is unmounted, and back
replace               the saved file is removed, and another shot is run, which may take its name
copy_ledger           the ledger is copied, for restore_ledger
restore_ledger        an older copy of the ledger is put in its place
hide_ledger           the folder of a ledger that has paid is renamed, as a drive that is unmounted
show_ledger           and back; a ledger that was made in its place is gone then
damage_ledger HOW     the ledger's file is zeroed, emptied, cut, junked (its first page) or removed
STEP & STEP           two of these at once

In the end it is run until it succeeds, four times at most, and fal is well again before the last.
Where the pack then asks whether a twin is the lost request, the user answers, who sees it at fal.
One is run again with: echo '["run & run"]' | PYTHONPATH=. python -m tests.support.history
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import local_fal

from .scenario import Scenario

GENERATION_S = 0.8


def run_history(fal: local_fal.LocalFal, history: list[str], place: Path) -> dict[str, Any]:
    fal.reset()
    # A home of its own, so that no history asks the ledger of another about the same shot.
    os.environ["VIDU_HOME"] = str(place / "home")
    scenario = Scenario(fal, place)
    try:
        clip = asyncio.run(scenario.run_history(history))
        fal.set_faults("")  # what did not strike must not strike those who look now
        return scenario.outcome(clip)
    except Exception:
        return {"problems": [traceback.format_exc()]}


def main() -> None:
    options = {"generation_seconds": GENERATION_S, "clip_size": (64, 48), "clip_frames": 8}
    with tempfile.TemporaryDirectory() as folder, local_fal.running(**options) as fal:
        os.environ.update(fal.environment)
        for number, line in enumerate(sys.stdin):
            outcome = run_history(fal, json.loads(line), Path(folder, str(number)))
            print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
