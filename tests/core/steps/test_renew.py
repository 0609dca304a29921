"""When a paid request may be given up: only when fal, asked in its own name, cannot have it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.destination import Destination
from vidu.errors import Charge
from vidu.generate import generate, resume
from vidu.ledger.opening import LEDGER_FILE
from vidu.library import get_by_request_id, load_or_resume, read_tags
from vidu.models import State
from vidu.progress import Phase
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
    until,
)


async def looked_at(home, folder, **options):
    """What a free look does: `resume`, the library, Vidu Saved Clip."""
    async with open_session(home, SHORT) as (provider, ledger):
        entry = await ledger.active(shot().fingerprint)
        given = {"destination": Destination(folder, "clip"), "settings": SHORT} | options
        return await resume(entry, provider, ledger, **given)


# A free look gives nothing up.


async def test_resume_clip_gone_everywhere_stays_paid_for(fal, vidu_home, clips):
    (await run(shot(), vidu_home, clips)).path.unlink()
    fal.set_faults("clip_gone")
    told = []
    with pytest.raises(errors.ClipGoneError, match=r"fal charged for it.*put the file back"):
        await looked_at(vidu_home, clips, on_progress=told.append)
    assert not any("again for" in progress.text for progress in told)
    fal.set_faults("")
    assert (await looked_at(vidu_home, clips)).path.is_file()
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_resume_request_that_fal_forgot_leaves_the_row(fal, vidu_home, clips):
    await interrupted(
        shot(), vidu_home, clips, Phase.DOWNLOADING, by_user=False, settings=SHORT_LIVED
    )
    with closing(sqlite3.connect(vidu_home / LEDGER_FILE)) as db, db:
        db.execute("UPDATE entries SET state = 'submitted', submitted_at = submitted_at - 9999")
    fal.set_faults("status_expired,listing_without_payloads")
    with pytest.raises(errors.ClipGoneError, match="not known whether fal charged"):
        await looked_at(vidu_home, clips)
    assert active_row(vidu_home).state is State.SUBMITTED


async def test_generate_request_that_fal_forgot_is_not_paid_again_unasked(fal, vidu_home, clips):
    await interrupted(
        shot(), vidu_home, clips, Phase.DOWNLOADING, by_user=False, settings=SHORT_LIVED
    )
    with closing(sqlite3.connect(vidu_home / LEDGER_FILE)) as db, db:
        db.execute("UPDATE entries SET state = 'submitted', submitted_at = submitted_at - 9999")
    fal.set_faults("status_expired,listing_without_payloads")
    with pytest.raises(errors.ClipGoneError, match="vidu forget"):
        await run(shot(), vidu_home, clips)
    fal.set_faults("")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


async def test_load_or_resume_failed_row_gives_its_own_file_or_none(fal, vidu_home, clips):
    """Two machines paid for one shot: the row that gave way has a file of its own, or none."""
    saved = await run(shot(), vidu_home, clips)
    own = shutil.copy(saved.path, clips / "own.mp4")
    with closing(sqlite3.connect(vidu_home / LEDGER_FILE)) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(entries)")][1:]
        names = ", ".join(columns)
        changed = {"state": "'failed'", "request_id": "'other'"}
        values = ", ".join(changed.get(column, column) for column in columns)
        db.execute(f"INSERT INTO entries ({names}) SELECT {values} FROM entries")
        db.execute(
            "UPDATE entries SET failure = 'paid for twice', path = ? WHERE id = 2",
            (str(own),),
        )
    destination = Destination(clips, "clip")
    given_way = await get_by_request_id(vidu_home, "other")
    assert (await load_or_resume(given_way, vidu_home, destination)).path == own
    own.unlink()
    saved.path.unlink()  # the same bytes: in its place, it is the clip
    with pytest.raises(errors.GenerationError, match="paid for twice"):
        await load_or_resume(given_way, vidu_home, destination)


async def test_resume_clip_carries_its_workflow(fal, vidu_home, clips):
    fal.set_faults("slow:1")
    stopped = asyncio.create_task(
        run(shot(), vidu_home, clips, metadata={"workflow": '{"nodes": []}', "prompt": "{}"})
    )
    await until(lambda: jobs_of(fal, shot()))
    stopped.cancel()
    await asyncio.wait({stopped})
    fal.set_faults("")
    path = (await looked_at(vidu_home, clips)).path
    assert json.loads(read_tags(path)["workflow"]) == {"nodes": []}
    with BlockingLedger.open(vidu_home) as ledger:
        (entry,) = ledger.entries()
        ledger.delete(entry)
        assert ledger.load_metadata(entry) == {}


async def test_generate_file_that_comes_back_is_used_again(fal, vidu_home, clips, tmp_path):
    saved = await run(shot(), vidu_home, clips)
    shutil.move(saved.path, tmp_path / "elsewhere")
    fal.set_faults("clip_gone")
    with pytest.raises(errors.ClipGoneError):
        await looked_at(vidu_home, clips)
    assert active_row(vidu_home).state is State.FINISHED
    shutil.move(tmp_path / "elsewhere", saved.path)
    again = await run(shot(), vidu_home, clips)
    assert (again.path, again.cost_usd) == (saved.path, 0)
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_load_or_resume_file_that_comes_back_makes_the_row_saved(
    fal, vidu_home, clips, tmp_path
):
    saved = await run(shot(), vidu_home, clips)
    shutil.move(saved.path, tmp_path / "elsewhere")
    fal.set_faults("clip_gone")
    with pytest.raises(errors.ClipGoneError):
        await looked_at(vidu_home, clips)
    shutil.move(tmp_path / "elsewhere", saved.path)
    clip = await load_or_resume(active_row(vidu_home), vidu_home, Destination(clips, "clip"))
    assert (clip.path, active_row(vidu_home).state) == (saved.path, State.SAVED)


async def test_generate_file_that_cannot_be_read_is_not_paid_again(fal, vidu_home, clips):
    saved = await run(shot(), vidu_home, clips)
    saved.path.unlink()
    saved.path.mkdir()  # for an administrator, too, it cannot be opened
    fal.set_faults("clip_gone")
    with pytest.raises(errors.ClipGoneError, match=r"cannot be read\. fal charged for it"):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["counts"]["jobs"] == 1


# What decides nothing.


async def test_retrieve_cdn_that_refuses_pays_nothing(fal, vidu_home, clips):
    (await run(shot(), vidu_home, clips)).path.unlink()
    fal.set_faults("clip_forbidden")
    with pytest.raises(errors.DownloadError, match="403"):
        await run(shot(), vidu_home, clips)
    fal.set_faults("")
    assert (await run(shot(), vidu_home, clips)).reused
    assert fal.ledger()["counts"]["jobs"] == 1


async def test_poll_result_that_is_early_is_asked_for_again(fal, vidu_home, clips):
    fal.set_faults("result_early:1")
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []


async def test_retrieve_clip_and_history_out_of_reach_names_the_way_out(fal, vidu_home, clips):
    (await run(shot(), vidu_home, clips)).path.unlink()
    fal.set_faults("clip_gone,listing_unavailable")
    with pytest.raises(errors.ClipGoneError, match=r"is paid for and not lost.*vidu forget"):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["counts"]["jobs"] == 1


# What it says and how long it takes.


async def test_generate_draft_error_says_nothing_was_charged(tmp_path):
    place = tmp_path / "a file"
    place.write_text("where the folder should be")
    async with open_session(tmp_path, SHORT, draft=True) as (provider, ledger):
        with pytest.raises(errors.InvalidSettingError) as caught:
            await generate(shot(), provider, ledger, Destination(place, "clip"))
    assert caught.value.charge is Charge.NOT_SPENT
