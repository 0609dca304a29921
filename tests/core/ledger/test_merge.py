"""Ledgers of several machines come together: no paid row is lost, and the sums stay true."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vidu.builders import image_to_video
from vidu.errors import InvalidSettingError, LedgerUnavailableError
from vidu.ledger.ledger import LEDGER_FILE, Ledger
from vidu.ledger.merge import Outcome, merge
from vidu.ledger.schema import MIGRATIONS
from vidu.models import Entry, Output, RequestHandle, SavedFile, State
from vidu.request import Request

PRICE = Decimal("0.20")
PIXELS = np.zeros((8, 8, 3), np.uint8)
STATES = [state for state in State if state is not State.RESERVED]


def request(prompt: str) -> Request:
    return image_to_video(PIXELS, prompt)


def receipt_of(request_id: str, host: str = "queue.fal.run") -> RequestHandle:
    url = f"https://{host}/fal-ai/vidu/requests/{request_id}"
    return RequestHandle(request_id, f"{url}/status", url, f"{url}/cancel")


@dataclass
class Machine:
    """A machine with a ledger, on which shots get as far as they are told to."""

    home: Path
    made: int = 0

    @property
    def file(self) -> Path:
        return self.home / LEDGER_FILE

    def bring(self, prompt: str, state: State) -> Entry:
        """A new row in this state."""
        with Ledger.open(self.home) as ledger:
            return self._advance(ledger, ledger.reserve(request(prompt), Decimal(0)), state)

    def go_on(self, prompt: str, state: State) -> Entry:
        """The live row, brought further."""
        with Ledger.open(self.home) as ledger:
            return self._advance(ledger, ledger.active(request(prompt).fingerprint), state)

    def _advance(self, ledger: Ledger, entry: Entry, state: State) -> Entry:
        if entry.state is state:
            return entry
        if state is State.FAILED:
            return ledger.mark_failed(entry, "refused", billed=False)
        if entry.state is State.RESERVED:
            return self._advance(ledger, ledger.mark_submitting(entry, {}), state)
        if entry.state is State.SUBMITTING:
            self.made += 1
            handle = receipt_of(f"{self.home.name}-{self.made}")
            return self._advance(ledger, ledger.mark_submitted(entry, handle), state)
        if state is State.CANCELLED:
            return ledger.mark_cancelled(entry)
        if entry.state in (State.SUBMITTED, State.CANCELLED):
            return self._advance(ledger, ledger.mark_finished(entry, Output("https://v")), state)
        file = SavedFile(Path(f"/there/{entry.request_id}.mp4"), 3, "0", 8, 8, 24.0, 4, 0.2)
        return self._advance(ledger, ledger.mark_saved(entry, file), state)

    def rows(self) -> list[Entry]:
        with Ledger.open(self.home) as ledger:
            return ledger.entries()

    def live(self, prompt: str) -> Entry | None:
        with Ledger.open(self.home) as ledger:
            return ledger.active(request(prompt).fingerprint)

    def spent(self) -> Decimal:
        with Ledger.open(self.home) as ledger:
            return ledger.spent_today()


@pytest.fixture
def here(tmp_path) -> Machine:
    return Machine(tmp_path / "here")


@pytest.fixture
def there(tmp_path) -> Machine:
    return Machine(tmp_path / "there")


def facts(entry: Entry) -> dict:
    return {name: value for name, value in vars(entry).items() if name != "id"}


@pytest.mark.parametrize("state", STATES)
def test_a_row_comes_over_with_all_it_has(here, there, state):
    theirs = there.bring("waves", state)
    assert merge(here.file, there.file) == Counter({Outcome.ADDED: 1})
    (ours,) = here.rows()
    assert facts(ours) == facts(theirs)


def test_what_was_never_sent_does_not_come_over(here, there):
    there.bring("waves", State.RESERVED)
    assert merge(here.file, there.file) == Counter({Outcome.UNSENT: 1})
    assert here.rows() == []


@pytest.mark.parametrize("state", STATES)
def test_again_it_changes_nothing(here, there, state):
    there.bring("waves", state)
    here.bring("waves", State.SUBMITTED)
    merge(here.file, there.file)
    before = [facts(row) | {"failed_at": None} for row in here.rows()]
    assert merge(here.file, there.file) == Counter({Outcome.KNOWN: 1})
    assert [facts(row) | {"failed_at": None} for row in here.rows()] == before


@pytest.mark.parametrize("first", [State.SUBMITTING, State.SUBMITTED, State.FINISHED])
@pytest.mark.parametrize("then", [State.SAVED, State.FAILED])
def test_a_row_that_went_on_there_goes_on_here(here, there, first, then):
    there.bring("waves", first)
    merge(here.file, there.file)
    theirs = there.go_on("waves", then)
    assert merge(here.file, there.file) == Counter({Outcome.UPDATED: 1})
    (ours,) = here.rows()
    assert facts(ours) == facts(theirs)


def test_a_row_that_went_on_here_is_not_set_back(here, there):
    there.bring("waves", State.SUBMITTED)
    merge(here.file, there.file)
    here.go_on("waves", State.SAVED)
    assert merge(here.file, there.file) == Counter({Outcome.KNOWN: 1})
    assert here.active("waves").state is State.SAVED


@pytest.mark.parametrize("ours", [State.RESERVED, *STATES])
@pytest.mark.parametrize("theirs", STATES)
def test_paid_on_both_the_further_stays_live_and_both_are_counted(here, there, ours, theirs):
    here.bring("waves", ours)
    there.bring("waves", theirs)
    states = {ours, theirs} - {State.FAILED}
    spent = PRICE * sum(state not in (State.FAILED, State.RESERVED) for state in (ours, theirs))
    merge(here.file, there.file)
    assert len(here.rows()) == 2
    live = here.active("waves")
    assert (live.state if live else None) == max(states, key=list(State).index, default=None)
    if states != {State.RESERVED}:
        assert here.spent() == spent


def test_of_two_that_are_as_far_ours_stays(here, there):
    ours = here.bring("waves", State.SAVED)
    there.bring("waves", State.SAVED)
    assert merge(here.file, there.file) == Counter({Outcome.TWICE: 1})
    assert here.active("waves").request_id == ours.request_id
    (twice,) = [row for row in here.rows() if row.state is State.FAILED]
    assert twice.billed
    assert "paid for twice" in twice.failure
    assert here.spent() == 2 * PRICE


def test_the_twin_steps_in_when_its_request_went_further(here, there):
    here.bring("waves", State.SUBMITTED)
    there.bring("waves", State.SUBMITTED)
    merge(here.file, there.file)
    here.go_on("waves", State.FAILED)
    theirs = there.go_on("waves", State.SAVED)
    merge(here.file, there.file)
    assert here.active("waves").request_id == theirs.request_id
    assert here.active("waves").state is State.SAVED
    assert here.spent() == PRICE


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.sampled_from(STATES)), max_size=6
    )
)
def test_any_ledgers_in_any_order_give_one_sum(tmp_path, history):
    shutil.rmtree(tmp_path)
    machines = [Machine(tmp_path / f"m{number}") for number in range(3)]
    for machine in machines:
        machine.rows()
    for number, prompt, state in history:
        if machines[number].active(prompt) is None:
            machines[number].bring(prompt, state)
    spent = sum(machine.spent() for machine in machines)
    requests = {row.request_id for machine in machines for row in machine.rows()}
    for order in ([0, 1, 2, 1, 0], [2, 1, 0]):
        merged = Machine(tmp_path / f"merged{order[0]}")
        for number in order:
            merge(merged.file, machines[number].file)
        assert merged.spent() == spent
        assert {row.request_id for row in merged.rows()} == requests


def test_the_other_ledger_is_only_read(here, there):
    there.bring("waves", State.SAVED)
    with closing(sqlite3.connect(there.file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = {path.name: path.read_bytes() for path in there.home.iterdir() if path.is_file()}
    merge(here.file, there.file)
    after = {path.name: path.read_bytes() for path in there.home.iterdir() if path.is_file()}
    assert after == before


def test_what_is_in_the_log_only_comes_over(here, there, tmp_path):
    """As it is copied from a machine that is still at work."""
    copied = Machine(tmp_path / "copied")
    copied.home.mkdir()
    with Ledger.open(there.home) as ledger:
        ledger.mark_submitting(ledger.reserve(request("waves"), Decimal(0)), {})
        for path in there.home.glob("ledger.sqlite*"):
            shutil.copy(path, copied.home)
    assert merge(here.file, copied.file) == Counter({Outcome.ADDED: 1})


def test_an_older_ledger_is_understood(here, there):
    there.home.mkdir()
    handle = receipt_of("r-1")
    row = {
        "fingerprint": "f" * 64,
        "endpoint": "e",
        "state": "submitted",
        "prompt": "waves",
        "seed": 0,
        "options": "{}",
        "price_micro_usd": 200000,
        "reserved_at": 5.0,
        **vars(handle),
    }
    with closing(sqlite3.connect(there.file)) as db:
        db.executescript(MIGRATIONS[0])
        db.execute("PRAGMA user_version = 1")
        marks = ", ".join("?" for _ in row)
        db.execute(f"INSERT INTO shots ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        db.commit()
    assert merge(here.file, there.file) == Counter({Outcome.ADDED: 1})
    assert here.rows()[0].handle == handle


@pytest.mark.parametrize(
    "host", ["evil.example", "queue.fal.run.evil.example", "queue.fal.run@evil.example", "fal.run"]
)
@pytest.mark.parametrize("state", [State.SUBMITTED, State.SAVED])
def test_a_row_that_would_send_the_key_elsewhere_is_refused(here, there, host, state):
    there.bring("waves", state)
    there.bring("wind", state)
    url = receipt_of("there-1", host).cancel_url
    change(there, "UPDATE shots SET cancel_url = ? WHERE prompt = 'waves'", url)
    assert merge(here.file, there.file) == Counter({Outcome.ADDED: 1, Outcome.REFUSED: 1})
    assert [row.prompt for row in here.rows()] == ["wind"]


@pytest.mark.parametrize("state", [State.SUBMITTED, State.SAVED])
def test_a_row_we_have_is_not_changed_by_one_that_is_refused(here, there, state):
    there.bring("waves", State.SUBMITTED)
    merge(here.file, there.file)
    there.go_on("waves", State.SAVED)
    change(there, "UPDATE shots SET status_url = 'https://evil.example', state = ?", state.value)
    before = here.rows()
    assert merge(here.file, there.file) == Counter({Outcome.REFUSED: 1})
    assert here.rows() == before


@pytest.mark.parametrize(
    "damage",
    [
        "state = 'bogus'",
        "options = '{'",
        "price_micro_usd = 'much'",
        "price_micro_usd = -10000000000",
        "fingerprint = '../../elsewhere'",
        "prompt = x'00'",
        "reserved_at = 'tomorrow'",
        "state = 'saved'",
        "path = '/etc/passwd', size = 1, sha256 = '0', width = 8, height = 8, fps = 24.0, "
        "frame_count = 4, duration_s = 0.2",
    ],
)
def test_a_row_that_can_not_be_read_is_refused_and_the_others_come(here, there, damage):
    there.bring("waves", State.SUBMITTED)
    there.bring("wind", State.SUBMITTED)
    change(there, f"UPDATE shots SET {damage} WHERE id = 1")
    assert merge(here.file, there.file) == Counter({Outcome.ADDED: 1, Outcome.REFUSED: 1})
    assert [row.prompt for row in here.rows()] == ["wind"]


def change(machine: Machine, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(machine.file)) as db:
        db.execute(statement, values)
        db.commit()


def test_clips_that_were_moved_here_are_pointed_at(here, there, tmp_path):
    moved = there.bring("waves", State.SAVED)
    there.bring("wind", State.SAVED)
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / moved.file.path.name).write_bytes(b"mp4")
    merge(here.file, there.file, clips=clips)
    assert here.active("waves").file.path == clips / moved.file.path.name
    assert here.active("wind").file.path.parent == Path("/there")


def test_a_file_that_is_none_is_refused_and_nothing_changes(here, tmp_path):
    here.bring("waves", State.SAVED)
    junk = tmp_path / "junk.sqlite"
    junk.write_bytes(b"no ledger at all" * 100)
    with pytest.raises(LedgerUnavailableError, match="cannot be read as a ledger"):
        merge(here.file, junk)
    with pytest.raises(InvalidSettingError, match="There is no ledger"):
        merge(here.file, tmp_path / "nowhere.sqlite")
    with pytest.raises(InvalidSettingError, match="this very ledger"):
        merge(here.file, here.file)
    other = tmp_path / "other.sqlite"
    shutil.copy(here.file, other)
    with pytest.raises(InvalidSettingError, match="There is no folder"):
        merge(here.file, other, clips=tmp_path / "nowhere")
    assert len(here.rows()) == 1


def test_from_a_shell(shell, here, there, vidu_home):
    here.bring("waves", State.SAVED)
    there.bring("wind", State.SAVED)
    done = shell("ledger", "merge", here.file, there.file)
    assert done.returncode == 0, done.stderr
    told = [line.rpartition(": ")[2] for line in done.stdout.splitlines()]
    assert told == ["1 added, 0 updated, 0 paid for twice, 0 known, 0 never sent, 0 refused"] * 2
    assert len(shell("ledger").stdout.splitlines()) == 2
    assert shell("ledger", "merge", vidu_home / "nowhere").returncode == 2
    elsewhere = vidu_home.parent / "elsewhere"
    shell("ledger", "--home", elsewhere, "merge", here.file)
    shell("ledger", "merge", there.file, "--home", elsewhere)
    assert len(Machine(elsewhere).rows()) == 2


def test_refused_rows_are_told_by_the_shell(shell, there):
    there.bring("waves", State.SUBMITTED)
    change(there, "UPDATE shots SET response_url = 'https://evil.example/'")
    done = shell("ledger", "merge", there.file)
    assert done.returncode == 1
    assert done.stdout.endswith(
        "0 added, 0 updated, 0 paid for twice, 0 known, 0 never sent, 1 refused\n"
    )
    assert "addresses are not fal's: the key would go there" in done.stderr


@pytest.mark.parametrize("is_here", [True, False])
def test_a_clip_that_is_gone_there_is_kept_here_where_it_is(here, there, tmp_path, is_here):
    here.bring("waves", State.SAVED)
    clip = tmp_path / "waves.mp4"
    change(here, "UPDATE shots SET path = ?", str(clip))
    if is_here:
        clip.write_bytes(b"mp4")
    merge(there.file, here.file)
    with Ledger.open(there.home) as ledger:
        (theirs,) = ledger.entries()
        again = ledger.mark_finished(theirs, Output("https://v"))
        ledger.mark_failed(again, "The clip is gone from disk and from fal", billed=True)
    outcome = merge(here.file, there.file)
    assert here.spent() == PRICE
    if is_here:
        assert outcome == Counter({Outcome.KNOWN: 1})
        assert here.active("waves").state is State.SAVED
    else:  # or the row they paid for after it would count as paid for twice
        assert outcome == Counter({Outcome.UPDATED: 1})
        assert here.active("waves") is None
