"""When a call is made again, how often, and after how long."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import (
    AccountLockedError,
    ApiStatusError,
    CertificateError,
    ConnectionFailedError,
    LedgerUnavailableError,
    RateLimitedError,
    RejectedKeyError,
    ServiceError,
    UnreadableResponseError,
    UploadError,
)
from vidu.fal.responses import error_from_response
from vidu.retry import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    LONGEST_RETRY_AFTER_S,
    delay_s,
    retry,
    retry_blocking,
)
from vidu.stopwatch import LONGEST_STEP_S

BROKEN = ConnectionFailedError("No answer.")


def limited(retry_after_s: float | None) -> RateLimitedError:
    error = RateLimitedError("Slower, please.")
    error.retry_after_s = retry_after_s
    return error


class FlakyCall:
    """A call that raises each of `errors` in turn, then succeeds; and the clock it runs by."""

    def __init__(self, *errors: Exception, takes_s: float = 0.0) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.now = 0.0
        self.takes_s = takes_s

    def blocking(self) -> str:
        self.calls += 1
        self.now += self.takes_s
        if self.errors:
            raise self.errors.pop(0)
        return "clip"

    async def __call__(self) -> str:
        return self.blocking()

    def clock(self) -> float:
        return self.now


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The waits that a retry asked for, none of which is waited for."""
    asked: list[float] = []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


# -- which errors are worth another call ----------------------------------------------------------


@pytest.mark.parametrize(
    "status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, "not ready"]
)
def test_error_from_response_passing_status_is_retryable(status):
    response = httpx.Response(
        *([400] if status == "not ready" else [status]),
        json={"detail": "Request is still in progress" if status == "not ready" else "No."},
    )
    error = error_from_response(response)
    assert error.retryable
    assert error.status_code == response.status_code


@pytest.mark.parametrize(
    "status", [301, 307, 400, 401, 402, 403, 404, 405, 410, 413, 418, 421, 422, 501, 505]
)
def test_error_from_response_final_status_is_not_retryable(status):
    error = error_from_response(httpx.Response(status, json={"detail": "No."}))
    assert not error.retryable
    assert error.status_code == status


def test_error_classes_without_response_have_no_status_code():
    for kind, is_retryable in {
        ConnectionFailedError: True,
        UnreadableResponseError: True,
        CertificateError: False,
        UploadError: False,
        ServiceError: False,
    }.items():
        assert (kind("x").retryable, kind("x").status_code) == (is_retryable, None)


# -- how long it waits ---------------------------------------------------------------------------


def test_delay_doubles_up_to_its_limit():
    delays = [delay_s(attempt, BROKEN, lambda: 0.0) for attempt in range(1, 9)]
    assert delays == [1, 2, 4, 8, 15, 15, 15, 15]


@pytest.mark.parametrize("attempt", [1, 2, 5, 50])
def test_delay_grows_with_the_random_number(attempt):
    delays = [delay_s(attempt, BROKEN, lambda rng=rng: rng) for rng in (0.0, 0.5, 1.0)]
    assert delays == [delays[0], delays[0] * 1.125, delays[0] * 1.25]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_delay_stays_within_its_limits(attempt, rng):
    assert FIRST_DELAY_S <= delay_s(attempt, BROKEN, lambda: rng) <= LONGEST_DELAY_S * 1.25


@given(st.integers(1, 100), st.floats(0, LONGEST_RETRY_AFTER_S), st.floats(0, 1))
def test_delay_after_retry_after_is_at_least_that(attempt, asked_s, rng):
    waited_s = delay_s(attempt, limited(asked_s), lambda: rng)
    assert waited_s >= asked_s
    assert waited_s >= delay_s(attempt, BROKEN, lambda: 0.0)


def test_delay_after_enormous_retry_after_is_cut():
    assert delay_s(1, limited(1e9), lambda: 0.0) == LONGEST_RETRY_AFTER_S == 120


def test_delay_without_retry_after_is_the_usual_one():
    assert delay_s(3, limited(None), lambda: 0.0) == delay_s(3, BROKEN, lambda: 0.0)


# -- retry ---------------------------------------------------------------------------------------


async def test_retry_success_calls_once():
    call = FlakyCall()
    assert await retry(call, timeout_s=0) == "clip"
    assert call.calls == 1


async def test_retry_retryable_errors_calls_until_success(waits):
    call = FlakyCall(BROKEN, BROKEN)
    assert await retry(call, timeout_s=60, rng=lambda: 0.0) == "clip"
    assert (call.calls, waits) == (3, [1, 2])


async def test_retry_waits_as_the_random_numbers_say(waits):
    numbers = iter([0.0, 1.0])
    await retry(FlakyCall(BROKEN, BROKEN), timeout_s=60, rng=lambda: next(numbers))
    assert waits == [1, 2.5]


async def test_retry_by_default_waits_at_random(waits):
    for _ in range(8):
        await retry(FlakyCall(BROKEN), timeout_s=60)
    assert len(set(waits)) > 1


@pytest.mark.parametrize(
    "error",
    [
        ApiStatusError("No.", status_code=404),
        RejectedKeyError("No."),
        AccountLockedError("No."),
        CertificateError("No."),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_retry_final_error_calls_once(error, waits):
    call = FlakyCall(error)
    with pytest.raises(type(error)):
        await retry(call, timeout_s=1e9)
    assert (call.calls, waits) == (1, [])


async def test_retry_own_condition_decides_instead_of_the_error(waits):
    call = FlakyCall(LedgerUnavailableError("Locked."))
    is_ledgers = lambda error: isinstance(error, LedgerUnavailableError)  # noqa: E731
    assert await retry(call, timeout_s=60, retry_if=is_ledgers) == "clip"
    call = FlakyCall(BROKEN)
    with pytest.raises(ConnectionFailedError):
        await retry(call, timeout_s=60, retry_if=is_ledgers)
    assert call.calls == 1


async def test_retry_attempts_used_up_raises_the_last_error(waits):
    call = FlakyCall(BROKEN, BROKEN, limited(None))
    with pytest.raises(RateLimitedError):
        await retry(call, timeout_s=1e9, attempts=3)
    assert call.calls == 3


async def test_retry_wait_beyond_the_timeout_is_not_begun(waits):
    call = FlakyCall(limited(30))
    with pytest.raises(RateLimitedError):
        await retry(call, timeout_s=29)
    assert (call.calls, waits) == (1, [])


async def test_retry_time_spent_in_the_call_counts(waits):
    last = ConnectionFailedError("The second.")
    call = FlakyCall(BROKEN, last, takes_s=20)
    with pytest.raises(ConnectionFailedError, match="The second"):
        await retry(call, timeout_s=30, rng=lambda: 0.0, clock=call.clock)
    assert call.calls == 2


async def test_retry_time_asleep_counts_as_a_minute(waits):
    call = FlakyCall(BROKEN, takes_s=8 * 3600)
    timeout_s = LONGEST_STEP_S + 5
    assert await retry(call, timeout_s=timeout_s, clock=call.clock) == "clip"


@pytest.mark.parametrize(
    ("error", "takes_s"),
    [(BROKEN, 50), (BROKEN, 130), (limited(120), 0.1)],
    ids=["slow call and wait", "very slow call", "long Retry-After"],
)
async def test_retry_steps_longer_than_a_minute_end_by_the_timeout(error, takes_s, waits):
    call = FlakyCall(*[error] * 99, takes_s=takes_s)
    with pytest.raises(type(error)):
        await retry(call, timeout_s=300, clock=lambda: call.now + sum(waits))
    assert call.calls < 10


async def test_retry_progress_starts_time_and_attempts_over(waits):
    call = FlakyCall(*[BROKEN] * 9, takes_s=20)
    options = {"timeout_s": 30, "attempts": 2, "clock": call.clock}
    assert await retry(call, progress=lambda: call.calls, **options) == "clip"
    call = FlakyCall(*[BROKEN] * 9, takes_s=20)
    with pytest.raises(ConnectionFailedError):
        await retry(call, progress=lambda: 1_000_000, **options | {"clock": call.clock})
    assert call.calls == 2


# -- retry_blocking ------------------------------------------------------------------------------


def test_retry_blocking_retryable_error_calls_again(waits):
    call = FlakyCall(BROKEN, BROKEN)
    result = retry_blocking(call.blocking, timeout_s=5, first_delay_s=0.2, rng=lambda: 0.0)
    assert (result, call.calls, waits) == ("clip", 3, [0.2, 0.4])


def test_retry_blocking_timeout_raises_the_last_error(waits):
    call = FlakyCall(*[BROKEN] * 9, takes_s=2)
    with pytest.raises(ConnectionFailedError):
        retry_blocking(call.blocking, timeout_s=5, first_delay_s=0.2, clock=call.clock)
    assert call.calls == 3
