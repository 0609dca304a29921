"""What a run is refused for before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace

import pytest


@pytest.fixture
def refusal(pack):
    """Returns the refusal of one shot of $0.20 with this newest row under max_cost $0, or None."""

    async def refusal(state_name):
        async def active(_):
            return state_name and SimpleNamespace(state=pack.vidu.models.State[state_name])

        quote = pack.vidu.pricing.Quote(Decimal("0.20"))
        request = SimpleNamespace(fingerprint="a", price=quote.usd, quote=quote)
        ledger = SimpleNamespace(active=active)
        try:
            await pack.nodes.limits.check_cost([request], ledger, Decimal(0))
        except pack.vidu.errors.CostLimitError as error:
            return str(error)

    return refusal


@pytest.mark.parametrize("state_name", [None, "RESERVED", "FAILED"])
async def test_check_cost_counts_what_was_not_sent(refusal, state_name):
    assert "would cost $0.20 for 1 shot" in await refusal(state_name)


@pytest.mark.parametrize("state_name", ["SUBMITTING", "CANCELLED"])
async def test_check_cost_counts_what_fal_may_not_have_made(refusal, state_name):
    assert "would cost up to $0.20 for 1 shot" in await refusal(state_name)


@pytest.mark.parametrize("state_name", ["SUBMITTED", "FINISHED", "SAVED"])
async def test_check_cost_counts_nothing_that_is_never_paid_for_again(refusal, state_name):
    assert await refusal(state_name) is None
