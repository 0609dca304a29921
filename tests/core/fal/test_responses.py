"""fal's refusals and its words, in every form."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import (
    AccountLockedError,
    ApiStatusError,
    Charge,
    RateLimitedError,
    RejectedKeyError,
)
from vidu.fal.request_handles import parse_request_handle
from vidu.fal.responses import error_from_response, error_message, json_body, retry_after_s
from vidu.fal.results import billable_units, error_from_result, is_final, parse_output

from ...support.fal_replies import NGINX, SENT, model_error, reply

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


# -- refusals: submit, status, storage, listing --------------------------------------------------


@pytest.mark.parametrize(
    "detail",
    [
        "invalid key credentials",
        "No user found for Key ID and Secret",
        "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'.",
        "Authorization header is required",
        'Cannot access application "fal-ai/vidu"',
    ],
)
def test_error_from_response_401_is_a_rejected_key_in_fals_words(detail):
    error = error_from_response(reply(401, {"detail": detail}))
    assert type(error) is RejectedKeyError
    assert detail in str(error)
    assert error.charge is Charge.NOT_SPENT


@pytest.mark.parametrize(
    "reason",
    [
        "Exhausted balance. Top up your balance at fal.ai/dashboard/billing.",
        "Exhausted balance. Top up your balance at fal.ai/dashboard/billing",
        "TOP_UP.",
    ],
)
def test_error_from_response_403_user_is_locked_is_a_locked_account(reason):
    error = error_from_response(reply(403, {"detail": f"User is locked. Reason: {reason}"}))
    assert type(error) is AccountLockedError
    assert reason in str(error)
    assert "fal.ai/dashboard/billing" in error.next_step


def test_error_from_response_admin_lock_names_fals_support():
    words = "User is locked. Reason: Admin lock. Please contact support@fal.ai"
    error = error_from_response(reply(403, {"detail": words}))
    assert type(error) is AccountLockedError
    assert "support@fal.ai" in error.next_step


def test_error_from_response_other_403_keeps_its_status():
    error = error_from_response(reply(403, {"detail": "Forbidden"}))
    assert type(error) is ApiStatusError
    assert error.status_code == 403


@pytest.mark.parametrize("status", [307, 400, 404, 405, 408, 409, 418, 500, 502, 503, 504])
def test_error_from_response_other_status_keeps_its_status(status):
    error = error_from_response(reply(status, {"detail": "As fal says."}))
    assert type(error) is ApiStatusError
    assert error.status_code == status
    assert f"fal answered {status} (As fal says.)" in str(error)


def test_error_from_response_429_is_a_rate_limit():
    error = error_from_response(reply(429, {"detail": "Too many."}, retry_after="7"))
    assert type(error) is RateLimitedError
    assert error.retry_after_s == 7
    assert "Too many." in str(error)


def test_error_from_response_of_the_platform_api_is_read():
    body = {"error": {"type": "not_found", "message": "No such model.", "request_id": "r"}}
    assert "No such model." in str(error_from_response(reply(404, body)))


# -- Retry-After ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("30", 30), ("2.5", 2.5)])
def test_retry_after_in_seconds_is_read(value, seconds):
    assert retry_after_s(reply(429, retry_after=value)) == seconds


@pytest.mark.parametrize(
    ("until", "seconds"),
    [("Sun, 06 Nov 1994 08:50:07 GMT", 30), (DATE, 0), ("Sun, 06 Nov 1994 08:00:00 GMT", 0)],
)
def test_retry_after_as_a_date_is_counted_by_fals_clock(until, seconds):
    assert retry_after_s(reply(429, retry_after=until, date=DATE)) == seconds


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e3", "9" * 40, "Sun, 99 Nov 1994 08:50:07"])
def test_retry_after_that_cannot_be_read_is_none(value):
    assert retry_after_s(reply(429, retry_after=value, date=DATE)) is None


def test_retry_after_missing_is_none():
    assert retry_after_s(reply(429)) is None


# -- fal's words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detail": "Request timed out"}, "Request timed out"),
        ({"detail": {"msg": "one"}}, "one"),
        ({"detail": {"message": "one", "input": SENT}}, "one"),
        ({"detail": [{"msg": "one", "loc": ["body", "seed"]}]}, "seed: one"),
        ({"detail": [{"msg": "one"}, {"msg": "two", "loc": []}]}, "one; two"),
        ({"detail": ["one", None, 7, {"msg": None}, ["x"]]}, "one"),
        ({"detail": " in \n  lines "}, "in lines"),
        ({"error": "one"}, "one"),
        ({"error": {"message": "one"}}, "one"),
        ({"detail": [], "error": {"message": None}}, "Unprocessable Entity"),
        ({"detail": None}, "Unprocessable Entity"),
        ({"status": "NOT_FOUND"}, "Unprocessable Entity"),
        ([], "Unprocessable Entity"),
        ("text", "Unprocessable Entity"),
        (None, "Unprocessable Entity"),
    ],
)
def test_error_message_in_every_form_is_found(body, words):
    assert error_message(reply(422, body)) == words


def test_error_message_of_an_html_page_is_its_status():
    assert error_message(httpx.Response(502, html=NGINX)) == "Bad Gateway"
    assert "nginx" not in str(error_from_response(httpx.Response(502, html=NGINX)))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'"\xff"'])
def test_error_message_of_a_broken_body_is_its_status(content):
    response = httpx.Response(500, content=content, headers={"content-type": "application/json"})
    assert error_message(response) == "Internal Server Error"


def test_error_message_of_an_unknown_status_is_not_empty():
    assert error_message(httpx.Response(599)) == "no words"


def test_error_message_with_half_a_character_can_be_encoded():
    assert parse_output({"video": {"url": "https://x/\ud83d.mp4"}}) is None
    assert (
        error_message(httpx.Response(422, content=rb'{"detail": "Not this \ud83d"}'))
        == "Not this ?"
    )


def test_error_message_long_words_are_cut_at_300_characters():
    words = error_message(reply(422, {"detail": "a" * 10_000}))
    assert len(words) == 300
    assert words.endswith("a...")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-9, 9) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
fal_like = st.dictionaries(
    st.sampled_from(["detail", "error", "error_type", "status", "video", "request_id"]),
    anything
    | st.lists(
        st.dictionaries(st.sampled_from(["msg", "type", "loc", "input", "ctx", "url"]), anything)
    ),
)


@given(st.integers(400, 599), anything | fal_like, st.booleans())
def test_error_from_response_of_any_body_is_an_error(status, body, failed):
    response = reply(status, body)
    assert "\n" not in error_message(response)
    assert str(error_from_response(response))
    assert str(error_from_result(response, "r"))
    assert is_final(response, failed=failed) in (True, False)
    parse_request_handle(response)
    parse_output(json_body(response), billable_units(response))


@given(st.lists(st.fixed_dictionaries({"msg": st.just("No."), "input": anything}), min_size=1))
def test_error_message_never_repeats_what_was_sent(details):
    response = reply(422, {"detail": details})
    assert error_message(response) == "; ".join("No." for _ in details)
    assert SENT not in str(error_from_result(reply(422, model_error("x", "No.", "prompt")), "r"))
