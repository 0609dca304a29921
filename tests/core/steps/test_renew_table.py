"""May we pay for this shot again? Every case of the table in `vidu/steps/renew.py`."""

from __future__ import annotations

import itertools
import re

import pytest

from vidu.models import State
from vidu.steps import renew
from vidu.steps.renew import Decision, Evidence, decide

ANOTHER_KEY = {"same_account": False}
OVER = {"lifetime_is_over": True}

CASES = [
    (None, None, {}, Decision.PAY),
    (State.FAILED, None, {}, Decision.PAY),
    (State.RESERVED, None, {}, Decision.PAY),
    (State.SUBMITTING, Evidence.ABSENT, OVER, Decision.PAY),
    (State.SUBMITTING, Evidence.ABSENT, {}, Decision.WAIT),
    (State.SUBMITTING, Evidence.ABSENT, {**OVER, **ANOTHER_KEY}, Decision.ASK),
    (State.SUBMITTING, Evidence.UNCLEAR, {}, Decision.WAIT),
    (State.SUBMITTING, Evidence.UNCLEAR, OVER, Decision.ASK),
    (State.SUBMITTING, Evidence.UNREADABLE, OVER, Decision.ASK),
    (State.SUBMITTED, Evidence.ABSENT, OVER, Decision.ASK),
    (State.SUBMITTED, Evidence.ENDED, {}, Decision.ASK),
    (State.SUBMITTED, Evidence.UNREADABLE, OVER, Decision.ASK),
    (State.CANCELLED, Evidence.CANCELLED, {}, Decision.PAY),
    (State.CANCELLED, Evidence.ABSENT, {}, Decision.END),
    (State.CANCELLED, Evidence.ABSENT, ANOTHER_KEY, Decision.ASK),
    (State.CANCELLED, Evidence.ENDED, {}, Decision.ASK),
    (State.CANCELLED, Evidence.UNREADABLE, {}, Decision.ASK),
    (State.FINISHED, Evidence.ABSENT, OVER, Decision.ASK),
    (State.FINISHED, Evidence.UNREADABLE, OVER, Decision.ASK),
    (State.SAVED, Evidence.ABSENT, OVER, Decision.ASK),
    (State.SAVED, Evidence.UNREADABLE, OVER, Decision.ASK),
]


@pytest.mark.parametrize(("state", "evidence", "facts", "decision"), CASES)
def test_decide_each_case_of_the_table(state, evidence, facts, decision):
    assert decide(state, evidence, **facts) is decision


def test_decide_table_of_the_docstring_has_these_cases():
    rows = re.findall(
        r"^(no row|[A-Z]+) +(ABSENT|CANCELLED|ENDED|UNCLEAR|UNREADABLE)? .* (PAY|WAIT|END|ASK)$",
        renew.__doc__,
        re.MULTILINE,
    )
    tested = [
        (state.name if state else "no row", evidence.name if evidence else "", decision.name)
        for state, evidence, _, decision in CASES
    ]
    assert rows == tested


@pytest.mark.parametrize(
    "state", [state for state in State if state not in (State.FAILED, State.RESERVED)]
)
@pytest.mark.parametrize("facts", [{}, OVER, ANOTHER_KEY])
def test_decide_without_evidence_asks_about_all_that_was_sent(state, facts):
    assert decide(state, None, **facts) is Decision.ASK


@pytest.mark.parametrize("state", [State.SUBMITTED, State.FINISHED, State.SAVED])
def test_decide_request_that_fal_accepted_is_never_paid_again_unasked(state):
    for evidence, account, over in itertools.product(
        (None, Evidence.ABSENT, Evidence.UNCLEAR, Evidence.UNREADABLE), (True, False), (True, False)
    ):
        assert decide(state, evidence, same_account=account, lifetime_is_over=over) is Decision.ASK
