"""The way to the server fails at each statement of a shot, in each way a network fails."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from blocking_ledger import BlockingLedger as Ledger
from postgres_proxy import Fault, faulty_postgres

from vidu.errors import LedgerUnavailableError
from vidu.ledger import Budget
from vidu.models import Entry, Output, SavedFile, State

from ...support.shared_rows import handle, shot

RUNS = 6
FEWEST_STATEMENTS = 25
"""Of a whole shot; each of them is met."""


class Run:
    """A shot as `generate` takes it through the ledger, with a list in fal's place."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.posted: list[int] = []

    def bring(self) -> None:
        """Go on with the shot from wherever it is.

        Raises:
            LedgerUnavailableError: The ledger gave up; the next run goes on.
        """
        with Ledger.open(self.home) as ledger, ledger.locked(shot().fingerprint):
            row = ledger.active(shot().fingerprint)
            if row is None or row.state is State.RESERVED:
                if row:
                    ledger.mark_unsent(row, "its run ended before it was sent")
                row = self._pay(ledger)
            if row.state is State.SUBMITTING:  # what a search in fal's history gives
                assert self.posted, "a shot that was never posted has to be searched for"
                row = ledger.mark_submitted(row, handle(self.posted[-1]))
            if row.state is State.SUBMITTED:
                row = ledger.mark_finished(row, Output("https://v3.fal.media/1.mp4", 7))
            if row.state is State.FINISHED:
                file = SavedFile(Path("1.mp4"), 7, "cd" * 32, 64, 64, 24.0, 96, 4.0)
                ledger.mark_saved(row, file)

    def _pay(self, ledger: Ledger) -> Entry:
        row = ledger.reserve(shot(), Budget())
        try:
            row = ledger.mark_submitting(row, {"seed": 7})
        except LedgerUnavailableError as error:
            ledger.mark_unsent(row, error.message)
            raise
        self.posted.append(row.id)
        return ledger.mark_submitted(row, handle(self.posted[-1]))


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr("vidu.ledger.postgres_connection.ANSWER_LIMIT_S", 0.6)
    monkeypatch.setattr("vidu.ledger.postgres_connection.IDLE_LIMIT_S", 0.6)


@pytest.mark.timeout(1200)  # some thirty shots, each with a connection that has to be given up
@pytest.mark.parametrize("fault", Fault)
def test_fault_at_each_statement_of_a_shot_pays_once_and_ends_saved(
    fault, shared_ledger, tmp_path, monkeypatch, impatient
):
    for at in itertools.count():
        shared_ledger.clear()
        Ledger.open(tmp_path / "first").close()
        home = tmp_path / str(at)
        with faulty_postgres(shared_ledger.url, {at: fault}.get) as proxy:
            monkeypatch.setenv("VIDU_LEDGER", proxy.url)
            run = Run(home)
            for _ in range(RUNS):
                try:
                    run.bring()
                    break
                except LedgerUnavailableError:
                    continue
            is_reached = proxy.faults > 0
        monkeypatch.setenv("VIDU_LEDGER", shared_ledger.url)
        with Ledger.open(home) as ledger:
            rows = ledger.entries()
        assert len(run.posted) == 1, (at, rows)
        assert [row.id for row in rows if row.state is State.SAVED] == run.posted, at
        assert {row.state for row in rows} <= {State.SAVED, State.FAILED}, at
        assert not list(home.glob("spool/*.json")), at
        if not is_reached:
            break
    assert at >= FEWEST_STATEMENTS


def test_mark_unsent_after_the_answer_to_mark_submitting_was_lost_ends_the_row(
    shared_ledger, tmp_path, monkeypatch
):
    """The server has the row as SUBMITTING, and nobody will search fal for what was never sent."""
    monkeypatch.setattr("vidu.ledger.writes.TIMEOUT_BEFORE_PAYING_S", 0.2)
    monkeypatch.setattr("vidu.ledger.postgres_connection.CONNECT_LIMIT_S", 1.0)
    is_watched = is_away = False

    def choose(_: int) -> Fault | None:
        nonlocal is_away
        if is_away:
            return Fault.CUT_BEFORE
        is_away = is_watched and has_written()
        return Fault.CUT_AFTER if is_away else None

    def has_written() -> bool:
        """Return whether a row was written, so that what comes now is COMMIT."""
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND granted"
        return shared_ledger.run_sql(query)[0][0] > 0

    with faulty_postgres(shared_ledger.url, choose) as proxy:
        monkeypatch.setenv("VIDU_LEDGER", proxy.url)
        with Ledger.open(tmp_path) as ledger:
            row = ledger.reserve(shot(), Budget())
            is_watched = True
            with pytest.raises(LedgerUnavailableError, match="cannot be reached"):
                ledger.mark_submitting(row, {"seed": 7})
            (state,) = shared_ledger.run_sql("SELECT state FROM vidu.entries")
            assert state == ("submitting",)
            is_watched = is_away = False
            assert ledger.mark_unsent(row, "the server was away").state is State.FAILED
            assert ledger.spent_today() == 0
