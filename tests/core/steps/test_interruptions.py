"""A busy ledger, a second cancel, a callback that fails: nothing paid is lost."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading

import pytest
from blocking_ledger import BlockingLedger

from vidu import errors
from vidu.credentials import find_key
from vidu.destination import Destination
from vidu.fal.client import Fal
from vidu.generate import generate
from vidu.ledger import open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.media.mux import write_clip
from vidu.models import State
from vidu.progress import Phase
from vidu.session import open_session

from ...support.shots import SHORT, active_row, interrupted, jobs_of, problems, run, shot, until


async def test_submit_busy_ledger_notes_the_request_as_soon_as_it_can(
    fal, vidu_home, clips, monkeypatch
):
    monkeypatch.setattr("vidu.ledger.sqlite_file.LOCK_LIMIT_S", 0.2)
    held_up = []

    class Busy(Fal):
        async def submit(self, endpoint, arguments, **options):
            handle = await super().submit(endpoint, arguments, **options)
            db = sqlite3.connect(
                vidu_home / LEDGER_FILE, isolation_level=None, check_same_thread=False
            )
            db.execute("BEGIN IMMEDIATE")
            held_up.append(db)
            threading.Timer(0.5, db.close).start()
            return handle

    async with (
        Busy(find_key(vidu_home).secret, SHORT) as busy,
        open_ledger(vidu_home) as ledger,
    ):
        destination = Destination(clips, "clip")
        clip = await generate(shot(), busy, ledger, destination, settings=SHORT)
    assert held_up
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert not any("by-endpoint" in asked["path"] for asked in fal.ledger()["requests"])


async def test_submit_second_cancel_does_not_lose_the_reply(fal, vidu_home, clips):
    class Late(Fal):
        async def submit(self, endpoint, arguments, **options):
            handle = await super().submit(endpoint, arguments, **options)
            await asyncio.sleep(0.2)
            return handle

    async with (
        Late(find_key(vidu_home).secret, SHORT) as late,
        open_ledger(vidu_home) as ledger,
    ):
        destination = Destination(clips, "clip")
        task = asyncio.create_task(generate(shot(), late, ledger, destination, settings=SHORT))
        await until(lambda: jobs_of(fal, shot()))
        before = asyncio.all_tasks()
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert asyncio.all_tasks() <= before - {task}
    clip = await run(shot(), vidu_home, clips)
    assert problems(fal, vidu_home, clips, shot(), clip) == []
    assert len(jobs_of(fal, shot())) == 1


async def test_submit_failing_callback_frees_the_reservation(fal, vidu_home, clips):
    def broken_pipe(progress):
        raise BrokenPipeError

    with pytest.raises(errors.UnexpectedError, match=r"BrokenPipeError.*Nothing was charged"):
        await run(shot(), vidu_home, clips, on_progress=broken_pipe)
    with BlockingLedger.open(vidu_home) as ledger:
        assert (ledger.active(shot().fingerprint), ledger.spent_today()) == (None, 0)


async def test_retrieve_ledger_failure_keeps_the_download(fal, vidu_home, clips):
    async def locked(entry, file):
        raise errors.LedgerUnavailableError("The ledger is locked.")

    async with (
        Fal(find_key(vidu_home).secret, SHORT) as provider,
        open_ledger(vidu_home) as ledger,
    ):
        ledger.mark_saved = locked
        with pytest.raises(errors.LedgerUnavailableError):
            await generate(shot(), provider, ledger, Destination(clips, "clip"))
    fal.set_faults("clip_gone")
    clip = await run(shot(), vidu_home, clips)
    assert jobs_of(fal, shot())[0]["request_id"] == clip.request_id
    assert list(clips.glob(".*")) == []


def test_retrieve_event_loop_that_ends_while_the_clip_is_written_saves_it(
    fal, vidu_home, clips, monkeypatch
):
    async def main() -> None:
        loop, writing, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def write(*given):
            loop.call_soon_threadsafe(writing.set)
            go_on.wait()
            return write_clip(*given)

        async def go_on_once_cancelled() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                go_on.set()

        monkeypatch.setattr("vidu.steps.retrieve.write_clip", write)
        under_way = [run(shot(), vidu_home, clips), go_on_once_cancelled()]
        tasks.extend(map(asyncio.create_task, under_way))
        await writing.wait()  # asyncio.run then cancels every task

    tasks: list[asyncio.Task] = []
    asyncio.run(main())
    assert [task.cancelled() for task in tasks] == [True, True]
    row = active_row(vidu_home)
    assert row.state is State.SAVED
    assert list(clips.iterdir()) == [row.file.path]


async def test_retrieve_folder_lost_meanwhile_is_a_save_error(fal, vidu_home, clips):
    def lose_folder(progress):
        if progress.phase is Phase.SUBMITTING:
            clips.rmdir()
            clips.write_text("a file where the folder should be")

    with pytest.raises(errors.SaveError, match=r"clips.*paid for and not lost"):
        await run(shot(), vidu_home, clips, on_progress=lose_folder)
    clips.unlink()
    assert (await run(shot(), vidu_home, clips)).path.is_file()
    assert len(jobs_of(fal, shot())) == 1


async def test_cancel_without_name_resolution_ends_in_time(fal, vidu_home, clips, monkeypatch):
    fal.set_faults("slow:1")
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=False)
    over = threading.Event()

    def unanswered(*_, **__):
        over.wait()
        raise socket.gaierror

    async with open_session(vidu_home, SHORT) as (provider, ledger):
        handle = (await ledger.active(shot().fingerprint)).handle
        monkeypatch.setenv("HTTPS_PROXY", fal.url.replace("127.0.0.1", "localhost"))
        monkeypatch.setattr(socket, "getaddrinfo", unanswered)
        with pytest.raises(errors.ConnectionFailedError, match="did not respond to the cancel"):
            await asyncio.to_thread(provider.cancel, handle)
        over.set()
