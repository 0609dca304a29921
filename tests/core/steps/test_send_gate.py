"""The last look before the paid POST: the clocks, and the lock of the shot."""

from __future__ import annotations

import pytest

from vidu import errors
from vidu.ledger import Budget, Ledger
from vidu.models import State
from vidu.steps.send_gate import LONGEST_PAUSE_S, SendGate, SleptError

from ...support.blocking_ledger import read_entries
from ...support.shots import SHORT, run, shot


class FakeLedger:
    """A ledger that notes what is written."""

    def __init__(self):
        self.written = []

    async def mark_submitting(self, entry, arguments, **facts):
        self.written.append(facts)
        return entry

    async def check_lock(self, entry):
        pass


def gate(clocks, *, server_time=None) -> SendGate:
    class Provider:
        account = "mine"

    class Context:
        ledger, provider, settings, budget = FakeLedger(), Provider(), SHORT, Budget()

    return SendGate(Context(), shot(), "the row", {}, server_time, clocks)


@pytest.mark.parametrize("jump_s", [LONGEST_PAUSE_S + 1, 8 * 3600.0, -3600.0])
@pytest.mark.parametrize("sleeping", ["wall", "monotonic"])
async def test_send_gate_after_a_jump_of_either_clock_lets_nothing_through(jump_s, sleeping):
    times = {"wall": 1e9, "monotonic": 50.0}
    closed = gate((lambda: times["wall"], lambda: times["monotonic"]))
    times[sleeping] += jump_s
    with pytest.raises(SleptError):
        await closed.pass_through()


async def test_send_gate_writes_fals_time_of_the_very_moment():
    times = {"wall": 1e9, "monotonic": 50.0}
    open_gate = gate((lambda: times["wall"], lambda: times["monotonic"]), server_time=7e8)
    times["monotonic"] += 5
    await open_gate.pass_through()
    assert open_gate._context.ledger.written[0]["server_time"] == 7e8 + 5


async def test_send_gate_without_the_lock_of_the_shot_lets_nothing_through(
    fal, vidu_home, clips, monkeypatch
):
    """As on PostgreSQL, where a lost connection is a lost lock."""

    async def lose_lock(*_given, **_facts):
        raise errors.LedgerUnavailableError("The lock of this shot was lost.")

    monkeypatch.setattr("vidu.ledger.Ledger.mark_submitting", lose_lock)
    with pytest.raises(errors.LedgerUnavailableError, match=r"lost\. Nothing was charged"):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["counts"]["submits"] == {}
    assert [(row.state, row.billed) for row in read_entries(vidu_home)] == [(State.FAILED, False)]


async def test_send_gate_whose_lock_is_lost_during_the_write_lets_nothing_through(
    fal, vidu_home, clips, monkeypatch
):
    mark_submitting = Ledger.mark_submitting

    async def lose_lock(self, entry, *given, **facts):
        entry = await mark_submitting(self, entry, *given, **facts)
        (vidu_home / "locks" / entry.fingerprint).unlink()
        return entry

    monkeypatch.setattr(Ledger, "mark_submitting", lose_lock)
    with pytest.raises(errors.LedgerUnavailableError, match=r"lock file.*Nothing was charged"):
        await run(shot(), vidu_home, clips)
    assert fal.ledger()["counts"]["submits"] == {}
    assert [(row.state, row.billed) for row in read_entries(vidu_home)] == [(State.FAILED, False)]
