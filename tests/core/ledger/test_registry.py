"""Two ledgers of one user on one machine: one payment for one shot, one budget."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from blocking_ledger import BlockingLedger as Ledger
from filelock import FileLock

from vidu.builders import image_to_video
from vidu.endpoints import VIDU_IMAGE_TO_VIDEO
from vidu.errors import (
    BudgetExceededError,
    InvalidSettingError,
    LedgerIncompleteError,
    LedgerUnavailableError,
)
from vidu.ledger import Budget, ignore_ledger, open_ledger
from vidu.ledger.opening import LEDGER_FILE
from vidu.media.image import EncodedImage
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request


def shot(number: int = 0) -> Request:
    image = EncodedImage(b"", "image/png", 64, 64, "ab" * 32)
    return Request(VIDU_IMAGE_TO_VIDEO, f"shot {number}", media={"image": (image,)})


def submit(ledger: Ledger, number: int = 0) -> Entry:
    row = ledger.mark_submitting(ledger.reserve(shot(number), Budget()), {})
    url = "https://queue.fal.run/r"
    return ledger.mark_submitted(row, RequestHandle(f"r-{number}", url, url, url))


def save(ledger: Ledger, number: int = 0) -> Entry:
    row = ledger.mark_finished(submit(ledger, number), Output("https://x/1.mp4"))
    file = SavedFile(Path("1.mp4"), 7, "cd" * 32, 64, 48, 24.0, 96, 4.0)
    ledger.save_metadata(row, {"workflow": "w"})
    return ledger.mark_saved(row, file)


@pytest.fixture
def two(tmp_path):
    with Ledger.open(tmp_path / "comfyui") as one, Ledger.open(tmp_path / "shell") as other:
        yield one, other


def test_reserve_shot_saved_in_another_ledger_is_taken_over_with_its_workflow(two):
    one, other = two
    saved = save(one)
    taken = other.reserve(shot(), Budget())
    assert (taken.state, taken.request_id, taken.file) == (State.SAVED, "r-0", saved.file)
    assert other.load_metadata(taken) == {"workflow": "w"}
    assert other.reserve(shot(), Budget()) == taken


def test_reserve_shot_perhaps_paid_for_in_another_ledger_is_not_paid_again(two):
    one, other = two
    one.mark_submitting(one.reserve(shot(), Budget()), {})
    taken = other.reserve(shot(), Budget())
    assert taken.state is State.SUBMITTING
    other.mark_failed(taken, "it never reached fal", billed=False)
    assert other.reserve(shot(), Budget()).state is State.RESERVED


def test_reserve_shot_deleted_here_is_paid_again_though_another_ledger_has_it(two):
    one, other = two
    save(one)
    other.delete(other.reserve(shot(), Budget()))
    assert other.reserve(shot(), Budget()).state is State.RESERVED


def test_daily_budget_counts_every_ledger_and_no_request_twice(two):
    one, other = two
    save(one, 0)
    other.reserve(shot(0), Budget())
    price = shot().price
    other.reserve(shot(1), Budget(price * 2))
    with pytest.raises(BudgetExceededError):
        other.reserve(shot(2), Budget(price * 2))
    with pytest.raises(BudgetExceededError):
        one.reserve(shot(3), Budget(price * 2))


async def test_reserve_in_two_ledgers_at_once_never_exceeds_the_daily_budget(tmp_path):
    async with open_ledger(tmp_path / "comfyui") as one, open_ledger(tmp_path / "shell") as other:
        budget = Budget(shot().price)
        for number in range(0, 20, 2):
            results = await asyncio.gather(
                one.reserve(shot(number), budget),
                other.reserve(shot(number + 1), budget),
                return_exceptions=True,
            )
            ((ledger, row),) = (
                (ledger, row)
                for ledger, row in zip((one, other), results, strict=True)
                if isinstance(row, Entry)
            )
            await ledger.mark_unsent(row, "stopped")


async def test_lock_shot_runs_of_two_ledgers_take_turns(tmp_path):
    inside = 0

    async def run(name: str) -> None:
        nonlocal inside
        async with (
            open_ledger(tmp_path / name) as ledger,
            ledger.lock_shot(shot().fingerprint, lambda _: None),
        ):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.05)
            inside -= 1

    await asyncio.gather(*(run(name) for name in ("comfyui", "shell", "comfyui")))


def test_known_ledger_that_cannot_be_read_refuses_the_shot(two, tmp_path):
    _, other = two
    (tmp_path / "elsewhere").mkdir()
    Ledger.open(tmp_path / "elsewhere").close()
    (tmp_path / "elsewhere" / "ledger.sqlite").write_bytes(b"no ledger " * 1000)
    with pytest.raises(LedgerUnavailableError, match=r"Another ledger of yours.*Nothing was"):
        other.reserve(shot(), Budget())


def notes(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "vidu_home" / "ledgers").iterdir())


def test_known_ledger_that_paid_for_nothing_and_is_gone_is_ignored(two, tmp_path):
    one, other = two
    one.reserve(shot(1), Budget())
    one.close()
    shutil.rmtree(tmp_path / "comfyui")
    assert len(notes(tmp_path)) == 2
    assert other.reserve(shot(), Budget()).state is State.RESERVED
    assert len(notes(tmp_path)) == 1


def test_reserve_while_a_ledger_that_paid_is_away_is_refused_until_the_user_says_so(two, tmp_path):
    one, other = two
    save(one)
    one.close()
    place = tmp_path / "comfyui"
    place.rename(tmp_path / "unmounted")
    with pytest.raises(LedgerUnavailableError, match=r"is not there.*Nothing was") as refused:
        other.reserve(shot(), Budget())
    place.mkdir()  # the mount point of a drive that is not mounted
    with pytest.raises(LedgerUnavailableError, match=r"is not there.*Nothing was"):
        other.reserve(shot(), Budget())
    assert f"ledger ignore {place / LEDGER_FILE}" in refused.value.next_step
    ignore_ledger(place / LEDGER_FILE)
    assert other.reserve(shot(), Budget()).state is State.RESERVED
    with pytest.raises(InvalidSettingError, match="is known"):
        ignore_ledger(place / LEDGER_FILE)


def test_reserve_once_the_ledger_is_back_takes_its_clip(two, tmp_path):
    one, other = two
    save(one)
    one.close()
    (tmp_path / "comfyui").rename(tmp_path / "unmounted")
    with pytest.raises(LedgerUnavailableError):
        other.reserve(shot(), Budget())
    (tmp_path / "unmounted").rename(tmp_path / "comfyui")
    assert other.reserve(shot(), Budget()).state is State.SAVED


def test_reserve_in_a_ledger_whose_drive_is_away_asks_before_paying(tmp_path):
    place = tmp_path / "comfyui"
    with Ledger.open(place) as one:
        save(one)
    place.rename(tmp_path / "unmounted")
    with Ledger.open(place) as fresh:
        with pytest.raises(LedgerIncompleteError, match=r"gone.*connect it.*accept-loss"):
            fresh.reserve(shot(), Budget())
        fresh.accept_loss()
        assert fresh.reserve(shot(), Budget()).state is State.RESERVED
    with Ledger.open(place) as fresh:
        assert not fresh.is_incomplete()


def test_reserve_in_a_ledger_whose_drive_was_away_when_it_paid_asks_before_paying(tmp_path):
    place = tmp_path / "comfyui"
    Ledger.open(place).close()
    place.rename(tmp_path / "unmounted")
    with Ledger.open(place) as fresh:
        save(fresh)
    shutil.rmtree(place)
    (tmp_path / "unmounted").rename(place)
    with Ledger.open(place) as one, pytest.raises(LedgerIncompleteError):
        one.reserve(shot(), Budget())


def test_ledger_of_the_temporary_folder_that_is_gone_leaves_no_note(two, tmp_path, monkeypatch):
    one, other = two
    save(one)
    one.close()
    shutil.rmtree(tmp_path / "comfyui")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "comfyui"))
    assert other.reserve(shot(), Budget()).state is State.RESERVED
    assert len(notes(tmp_path)) == 1


def test_ledger_that_cannot_be_looked_for_refuses(two, tmp_path, monkeypatch):
    one, other = two
    save(one)
    is_file = Path.is_file

    def stale(path: Path) -> bool:
        if path.parent.name == "comfyui":
            raise OSError(errno.ESTALE, "Stale file handle")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", stale)
    with pytest.raises(LedgerUnavailableError, match=r"Stale file handle.*ledger ignore"):
        other.reserve(shot(), Budget())


def test_reserve_another_ledger_lost_but_for_its_journal_refuses_until_it_is_opened(two, tmp_path):
    one, other = two
    save(one)
    one.close()
    (tmp_path / "comfyui" / LEDGER_FILE).unlink()
    with pytest.raises(LedgerUnavailableError, match=r"is gone.*Nothing was"):
        other.reserve(shot(), Budget())
    Ledger.open(tmp_path / "comfyui").close()
    assert other.reserve(shot(), Budget()).state is State.SAVED


def test_reserve_while_another_ledger_is_repaired_is_refused(two, tmp_path, monkeypatch):
    monkeypatch.setattr("vidu.ledger.registry.LOCK_LIMIT_S", 0.1)
    with (
        FileLock(tmp_path / "comfyui" / f"{LEDGER_FILE}.opening"),
        pytest.raises(LedgerUnavailableError, match="opening"),
    ):
        two[1].reserve(shot(), Budget())
    assert two[1].reserve(shot(), Budget()).state is State.RESERVED


async def test_reserve_the_like_of_a_shot_at_work_in_another_ledger_is_refused(tmp_path):
    picture = np.random.default_rng(5).integers(20, 230, (360, 640, 3), np.uint8)
    mine, alike = (image_to_video(picture + change, "p", seed=1) for change in (0, np.uint8(1)))
    async with open_ledger(tmp_path / "comfyui") as one, open_ledger(tmp_path / "shell") as other:
        async with one.lock_shot(mine.fingerprint, lambda _: None):
            await one.reserve(mine, Budget())
            with pytest.raises(LedgerUnavailableError, match=r"another decoder.*Nothing was"):
                await other.reserve(alike, Budget())
        assert (await other.reserve(alike, Budget())).state is State.RESERVED
