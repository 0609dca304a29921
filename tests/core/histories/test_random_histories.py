"""Random histories of a shot: it is paid for once and its clip is saved.

A shot is run, run twice at once, killed, interrupted, its file is lost, its ledger is damaged or
away, another machine makes the same request, clocks are set, and fal fails meanwhile.
After any such history it is run until it succeeds: then no job was submitted while another may have
been alive or had been billed, and the clip on disk is whole, packet for packet fal's.

Every run draws new histories. A failure shows the seed and the history. HISTORIES_SEED draws the
same ones again, HISTORIES says how many:
HISTORIES=1000 pytest tests/core/histories/test_random_histories.py
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter

import pytest

from ...support.history_pool import HistoryPool
from ...support.random_history import ENDPOINT_NAMES, GROUPS, LEDGER_DAMAGE, draw_histories
from ...support.shots import STEPS

pytestmark = pytest.mark.timeout(1800)  # all histories of the file are run at once

WORKERS = 16  # most of a history is waiting
HISTORIES = 64


DRAWN = {
    *("run", "cancel", "teardown", "kill", "remove", "damage", "retitle", "replace", "hide"),
    *("show", "clock", "fal_clock", "decoder", "twin", "fal", "shot", "seed", "copy_ledger"),
    *("restore_ledger", "hide_ledger", "show_ledger", "&"),
    *(f"damage_ledger {how}" for how in LEDGER_DAMAGE),
    *(f"shot {name}" for name in ENDPOINT_NAMES),
    *(f"kill {when}:{step}" for when in ("before", "after") for step in STEPS),
    *(fault for group in GROUPS for fault in group),
}
"""What random histories consist of."""


def test_draw_histories_draw_every_step_moment_endpoint_and_fault():
    drawn = Counter[str]()
    for history in draw_histories(random.Random(1), 20_000):
        for step in history:
            parts = step.split(" & ")
            words = [part.split() for part in parts]
            drawn.update(["&"] * (len(parts) - 1))
            drawn.update(first for first, *_ in words)
            drawn.update(" ".join(each[:2]) for each in words)
            drawn.update(re.findall(r"([a-z0-9_]+):\d", step) if words[0][0] == "fal" else [])
    assert drawn.keys() >= DRAWN, DRAWN - drawn.keys()


def test_draw_histories_of_one_run_have_every_endpoint():
    histories = draw_histories(random.Random(1), HISTORIES)
    assert {history[0].split()[1] for history in histories} == set(ENDPOINT_NAMES)


def test_random_histories_pay_once_and_save_the_clip(tally):
    seed = int(os.environ.get("HISTORIES_SEED") or random.SystemRandom().getrandbits(32))
    rng = random.Random(seed)
    histories = draw_histories(rng, int(os.environ.get("HISTORIES", HISTORIES)))
    with HistoryPool(WORKERS) as pool:
        outcomes = pool.run(histories)
    failed = []
    for history, outcome in zip(histories, outcomes, strict=True):
        tally(outcome)
        # What was damaged, and what was saved twice for a kill, is the user's to remove.
        problems = [one for one in outcome["problems"] if not one.startswith("beside the clip")]
        if problems:
            failed.append(f"{json.dumps(history)}: {problems} {outcome.get('errors')}")
    assert not failed, f"HISTORIES_SEED={seed}\n" + "\n".join(failed)
