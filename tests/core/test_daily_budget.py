"""The day of the budget against a local fal: fal's clock begins it, and this machine's does not."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from blocking_ledger import BlockingLedger

from vidu.errors import BudgetExceededError
from vidu.ledger import Budget
from vidu.progress import Phase

from ..support.shots import SHORT, run, shot

DAY_S = 86_400
TODAY = replace(SHORT, daily_budget_usd=Decimal("0.20"))


def seconds_to_midnight() -> float:
    now = datetime.now(timezone.utc)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds()


@pytest.mark.parametrize("clock_s", [DAY_S, -DAY_S, 30 * DAY_S])
async def test_generate_with_this_machines_clock_set_has_no_fresh_budget(
    fal, vidu_home, clips, clock_s
):
    await run(shot(1), vidu_home, clips, settings=TODAY)
    with pytest.raises(BudgetExceededError, match="Nothing was charged"):
        await run(shot(2), vidu_home, clips, settings=TODAY, clock_s=clock_s)
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_generate_on_fals_next_day_has_a_fresh_budget(fal, vidu_home, clips):
    await run(shot(1), vidu_home, clips, settings=TODAY)
    fal.set_clock_skew(DAY_S)
    await run(shot(2), vidu_home, clips, settings=TODAY)
    with pytest.raises(BudgetExceededError):
        await run(shot(3), vidu_home, clips, settings=TODAY)
    assert fal.ledger()["counts"]["jobs"] == 2


async def test_generate_whose_upload_lasts_into_a_day_that_is_spent_sends_nothing(
    fal, vidu_home, clips
):
    fal.set_clock_skew(seconds_to_midnight() - 600)

    def let_midnight_pass(progress):
        if progress.phase is Phase.UPLOADING:
            fal.set_clock_skew(seconds_to_midnight() + 60)
            with BlockingLedger.open(vidu_home) as ledger:
                now = time.time() + seconds_to_midnight() + 60
                ledger.reserve(shot(1), Budget(TODAY.daily_budget_usd), now)

    with pytest.raises(BudgetExceededError, match=r"\$0.20 of today's.*Nothing was charged"):
        await run(shot(2), vidu_home, clips, settings=TODAY, on_progress=let_midnight_pass)
    assert fal.ledger()["counts"]["jobs"] == 0
    with BlockingLedger.open(vidu_home) as ledger:
        assert ledger.active(shot(2).fingerprint) is None
