"""How long a lost request may live, and whose it is."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.destination import Destination
from vidu.generate import generate
from vidu.ledger import Budget, open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.models import RequestHandle, State
from vidu.progress import Phase
from vidu.provider import Completed
from vidu.session import open_session

from ...support.shots import (
    SHORT,
    SHORT_LIVED,
    active_row,
    interrupted,
    jobs_of,
    problems,
    run,
    shot,
)

# How long a lost request may live.


async def test_search_lifetime_is_that_of_the_settings_when_submitted(fal, vidu_home, clips):
    fal.set_faults("accepted_then_dropped:1,slow:1")
    await interrupted(shot(), vidu_home, clips, Phase.SEARCHING, by_user=False)
    assert (
        active_row(vidu_home).max_lifetime_s
        == SHORT.max_lifetime_s()
        > 2 * SHORT_LIVED.max_lifetime_s()
    )
    clip = await run(shot(), vidu_home, clips, settings=SHORT_LIVED)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


async def test_search_clock_set_forward_meanwhile_pays_nothing(open_fal, tmp_path, clips):
    fal = open_fal(generation_seconds=0.7)
    fal.set_faults("accepted_then_dropped:1,slow:1")
    searches = []

    def on_progress(progress):
        if progress.phase is Phase.SEARCHING:
            searches.append(progress)

    def now():
        return time.time() + (86_400 if len(searches) > 1 else 0)

    async with (
        open_session(tmp_path, SHORT) as (provider, _),
        open_ledger(tmp_path / "another", now=now) as ledger,
    ):
        given = {
            "destination": Destination(clips, "clip"),
            "settings": SHORT,
            "on_progress": on_progress,
        }
        await generate(shot(), provider, ledger, **given)
    assert len(searches) > 2
    assert len(jobs_of(fal, shot())) == 1


async def test_search_history_without_inputs_pays_nothing(fal, vidu_home, clips):
    fal.set_faults("accepted_then_dropped:1,listing_without_payloads")
    with pytest.raises(errors.SubmissionUnknownError, match="whose inputs cannot be read"):
        while True:
            await run(shot(), vidu_home, clips, settings=SHORT_LIVED)
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


# Whose request it is.


async def test_search_with_another_key_pays_nothing(open_fal, vidu_home, clips):
    mine = open_fal()
    mine.set_faults("accepted_then_dropped:1,slow:1")
    options = {"by_user": False, "settings": SHORT_LIVED}
    await interrupted(shot(), vidu_home, clips, Phase.SEARCHING, **options)
    other = open_fal()
    await asyncio.sleep(SHORT_LIVED.max_lifetime_s())
    with pytest.raises(errors.SubmissionUnknownError, match="another fal key"):
        await run(shot(), vidu_home, clips, settings=SHORT_LIVED)
    assert (jobs_of(other, shot()), active_row(vidu_home).state) == ([], State.SUBMITTING)


async def test_poll_with_another_key_asks_for_the_first_one(open_fal, vidu_home, clips):
    open_fal().set_faults("slow:1")
    options = {"by_user": False, "settings": SHORT_LIVED}
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, **options)
    other = open_fal()
    with closing(sqlite3.connect(vidu_home / LEDGER_FILE)) as db, db:
        db.execute("UPDATE entries SET submitted_at = submitted_at - 9999")
    with pytest.raises(errors.ClipGoneError, match=r"made with another.*Set the key"):
        await run(shot(), vidu_home, clips, settings=SHORT_LIVED)
    assert (jobs_of(other, shot()), active_row(vidu_home).state) == ([], State.SUBMITTED)


async def test_poll_row_with_foreign_urls_gets_no_key(fal, vidu_home, clips):
    foreign = [f"https://evil.example/{name}" for name in ("status", "result", "cancel")]
    with BlockingLedger.open(vidu_home) as ledger:
        entry = ledger.mark_submitting(ledger.reserve(shot(), Budget()), {})
        ledger.mark_submitted(entry, RequestHandle("r-1", *foreign))
    with pytest.raises(errors.ServiceError, match="not fal's"):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["refused"] == []
    async with open_session(vidu_home, SHORT) as (provider, _):
        with pytest.raises(errors.ServiceError, match="not fal's"):
            await provider.result(
                RequestHandle("r-1", *foreign), Completed(failed=False), may_have_run=False
            )
        with pytest.raises(errors.ServiceError, match="not fal's"):
            await asyncio.to_thread(provider.cancel, RequestHandle("r-1", *foreign))
    assert fal.ledger()["refused"] == []
