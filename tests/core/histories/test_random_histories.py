"""Random histories of a shot: it is paid for once and its clip is saved.

A shot is run, run twice at once, killed, interrupted, its file is lost, and fal fails meanwhile.
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

import pytest

from ...support.history_pool import HistoryPool
from ...support.random_history import draw_history

pytestmark = pytest.mark.timeout(1800)  # all histories of the file are run at once

WORKERS = 16  # most of a history is waiting
HISTORIES = 64


def test_random_histories_pay_once_and_save_the_clip(tally):
    seed = int(os.environ.get("HISTORIES_SEED") or random.SystemRandom().getrandbits(32))
    rng = random.Random(seed)
    histories = [draw_history(rng) for _ in range(int(os.environ.get("HISTORIES", HISTORIES)))]
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
