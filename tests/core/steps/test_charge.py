"""What an error says of the money: what the row knows, unless fal ended the request itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from vidu import errors
from vidu.errors import Charge
from vidu.models import Entry, State
from vidu.progress import Phase
from vidu.steps.charge import CHARGE_BY_STATE, charge_of_entry, charge_of_error

from ...support.shots import interrupted, jobs_of, run, shot

NOT_OF_FALS = [
    errors.InvalidProxyError("The proxy cannot be used."),
    errors.MalformedKeyError("The key cannot be one."),
    errors.ConnectionFailedError("No network."),
    errors.DependencyError("PyAV is missing."),
    errors.LedgerUnavailableError("The ledger is locked."),
]


def row(state: State) -> Entry:
    return Entry(1, "f", "e", state, "p", 0, {}, Decimal(1), 0.0)


@pytest.mark.parametrize(
    ("state", "charge"),
    [
        (State.RESERVED, Charge.NOT_SPENT),
        (State.SUBMITTING, Charge.MAYBE_SPENT),
        (State.SUBMITTED, Charge.PENDING),
        (State.CANCELLED, Charge.PENDING),
        (State.FINISHED, Charge.SPENT),
        (State.SAVED, Charge.SPENT),
    ],
)
def test_charge_of_entry_follows_its_state(state, charge):
    assert charge_of_entry(row(state)) is charge


@pytest.mark.parametrize("was_sent", [True, False])
@pytest.mark.parametrize(
    ("billed", "charge"),
    [(True, Charge.CHARGED), (False, Charge.NOT_SPENT), (None, Charge.MAYBE_SPENT)],
)
def test_charge_of_failed_entry_is_what_fal_billed_if_it_was_sent(billed, charge, was_sent):
    entry = replace(row(State.FAILED), billed=billed, submitting_at=9.0 if was_sent else None)
    assert charge_of_entry(entry) is (charge if was_sent else Charge.NOT_SPENT)


@pytest.mark.parametrize("state", CHARGE_BY_STATE)
@pytest.mark.parametrize("error", NOT_OF_FALS, ids=lambda error: type(error).__name__)
def test_charge_of_error_that_knows_nothing_of_the_request_is_that_of_its_row(error, state):
    assert error.charge is Charge.NOT_SPENT
    assert charge_of_error(error, row(state), is_free=False) is CHARGE_BY_STATE[state]
    assert charge_of_error(error, row(state), is_free=True) is Charge.NOT_SPENT


@pytest.mark.parametrize("charge", [Charge.NOT_SPENT, Charge.CHARGED, Charge.MAYBE_SPENT])
def test_charge_of_error_with_which_fal_ended_the_request_is_its_own(charge):
    error = errors.GenerationError("It failed.", charge=charge)
    assert charge_of_error(error, row(State.SUBMITTED), is_free=False) is charge


@pytest.mark.parametrize(
    ("error", "state", "charge"),
    [
        (errors.SubmissionUnknownError("Lost."), State.RESERVED, Charge.MAYBE_SPENT),
        (
            errors.LedgerUnavailableError("Locked.", charge=Charge.PENDING),
            State.SUBMITTING,
            Charge.PENDING,
        ),
        (errors.ClipGoneError("Gone.", charge=Charge.CHARGED), State.FINISHED, Charge.CHARGED),
    ],
    ids=lambda value: getattr(value, "name", type(value).__name__),
)
def test_charge_of_error_that_knows_more_than_the_row_is_its_own(error, state, charge):
    assert charge_of_error(error, row(state), is_free=False) is charge


async def test_poll_with_a_proxy_that_cannot_be_used_tells_of_the_pending_charge(
    fal, vidu_home, clips, monkeypatch
):
    fal.set_faults("slow:1")
    await interrupted(shot(), vidu_home, clips, Phase.GENERATING, by_user=False)

    def refuse(*_given):
        raise errors.InvalidProxyError("The system's proxy cannot be used.")

    with monkeypatch.context() as patched:
        patched.setattr("vidu.fal.client.read_status", refuse)
        with pytest.raises(errors.InvalidProxyError) as caught:
            await run(shot(), vidu_home, clips)
    assert caught.value.charge is Charge.PENDING
    assert caught.value.request_id == jobs_of(fal, shot())[0]["request_id"]


async def test_generate_shot_that_another_ledger_paid_for_costs_nothing(
    fal, vidu_home, clips, tmp_path
):
    first = await run(shot(), vidu_home, clips)
    clip = await run(shot(), tmp_path / "shell", clips)
    assert (clip.path, clip.cost_usd, clip.reused) == (first.path, 0, True)
    assert len(jobs_of(fal, shot())) == 1


async def test_generate_request_that_another_ledger_lost_is_paid_for_by_this_run(
    fal, vidu_home, clips, tmp_path
):
    fal.set_faults("submit_reset")
    await interrupted(shot(), vidu_home, clips, Phase.SEARCHING, by_user=False)
    assert jobs_of(fal, shot()) == []
    fal.set_faults("")
    clip = await run(shot(), tmp_path / "shell", clips)
    assert (clip.cost_usd, clip.reused) == (shot().price, False)
    assert len(jobs_of(fal, shot())) == 1
