from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import (
    AccountLockedError,
    ApiStatusError,
    ConnectionFailedError,
    RateLimitedError,
    RejectedKeyError,
    ServiceError,
    UploadError,
)
from vidu.retry import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    LONGEST_RETRY_AFTER_S,
    RETRYABLE_STATUS_CODES,
    delay_s,
    is_retryable,
    retry,
)

BROKEN = ConnectionFailedError("No answer.")


def limited(retry_after_s: float | None) -> RateLimitedError:
    problem = RateLimitedError("Slower, please.")
    problem.retry_after_s = retry_after_s
    return problem


def refused(status_code: int) -> ApiStatusError:
    return ApiStatusError("No.", status_code=status_code)


class Flaky:
    """A read that raises each of `problems` in turn, then succeeds; and the clock it runs by."""

    def __init__(self, *problems: Exception, takes_s: float = 0.0) -> None:
        self.problems = list(problems)
        self.reads = 0
        self.now = 0.0
        self.takes_s = takes_s

    async def read(self) -> str:
        self.reads += 1
        self.now += self.takes_s
        if self.problems:
            raise self.problems.pop(0)
        return "clip"

    def clock(self) -> float:
        return self.now


# -- what passes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504])
def test_a_status_that_may_pass_passes(status):
    assert is_retryable(refused(status))


@pytest.mark.parametrize("status", [301, 307, 400, 402, 403, 404, 405, 410, 413, 418, 422, 501])
def test_a_status_that_is_an_answer_does_not(status):
    assert not is_retryable(refused(status))


def test_silence_and_rate_limits_pass():
    assert is_retryable(BROKEN)
    assert is_retryable(limited(None))


def test_what_has_been_tried_again_already_does_not():
    assert not is_retryable(UploadError("It did not arrive."))
    assert not is_retryable(ServiceError("Something else."))


# -- how long it waits ---------------------------------------------------------------------------


def test_the_wait_doubles_up_to_its_limit():
    waits = [delay_s(attempt, BROKEN, lambda: 0.0) for attempt in range(1, 9)]
    assert waits == [1, 2, 4, 8, 15, 15, 15, 15]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_wait_stays_within_its_limits(attempt, rng):
    assert FIRST_DELAY_S <= delay_s(attempt, BROKEN, lambda: rng) <= LONGEST_DELAY_S * 1.25


@given(st.integers(1, 100), st.floats(0, LONGEST_RETRY_AFTER_S), st.floats(0, 1))
def test_a_retry_after_is_honoured(attempt, asked_s, rng):
    waited_s = delay_s(attempt, limited(asked_s), lambda: rng)
    assert waited_s >= asked_s
    assert waited_s >= delay_s(attempt, BROKEN, lambda: 0.0)


def test_a_retry_after_beyond_reason_is_cut():
    assert delay_s(1, limited(1e9), lambda: 0.0) == LONGEST_RETRY_AFTER_S


def test_without_a_retry_after_the_usual_wait_holds():
    assert delay_s(3, limited(None), lambda: 0.0) == delay_s(3, BROKEN, lambda: 0.0)


# -- persistence ---------------------------------------------------------------------------------


async def test_a_read_that_succeeds_is_made_once():
    flaky = Flaky()
    assert await retry(flaky.read, timeout_s=0) == "clip"
    assert flaky.reads == 1


async def test_a_read_is_made_again_until_it_succeeds():
    flaky = Flaky(refused(503))
    assert await retry(flaky.read, timeout_s=60, rng=lambda: 0.0) == "clip"
    assert flaky.reads == 2


@pytest.mark.parametrize("status", sorted({400, 404, 422} - RETRYABLE_STATUS_CODES))
async def test_an_answer_is_not_asked_for_again(status):
    flaky = Flaky(refused(status))
    with pytest.raises(ApiStatusError):
        await retry(flaky.read, timeout_s=1e9)
    assert flaky.reads == 1


@pytest.mark.parametrize("kind", [RejectedKeyError, AccountLockedError])
async def test_a_bad_key_or_account_is_not_tried_again(kind):
    flaky = Flaky(kind("No."))
    with pytest.raises(kind):
        await retry(flaky.read, timeout_s=1e9)
    assert flaky.reads == 1


async def test_patience_ends_before_a_wait_that_would_outlast_it():
    flaky = Flaky(limited(30))
    with pytest.raises(RateLimitedError):
        await retry(flaky.read, timeout_s=29)
    assert flaky.reads == 1


async def test_time_spent_in_the_read_itself_counts():
    flaky = Flaky(refused(500), refused(503), takes_s=20)
    with pytest.raises(ApiStatusError) as last:
        await retry(flaky.read, timeout_s=30, rng=lambda: 0.0, clock=flaky.clock)
    assert last.value.status_code == 503
    assert flaky.reads == 2


async def test_what_is_no_trouble_of_fals_is_not_tried_again():
    flaky = Flaky(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await retry(flaky.read, timeout_s=1e9)
    assert flaky.reads == 1
