from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidu.errors import (
    AccountLockedError,
    ApiStatusError,
    Charge,
    ContentPolicyError,
    GenerationCancelledError,
    GenerationError,
    ImageRejectedError,
    InputRejectedError,
    PromptRejectedError,
    RateLimitedError,
    RejectedKeyError,
)
from vidu.fal.request_handles import has_fal_urls, parse_request_handle
from vidu.fal.responses import error_from_response, error_message, json_body, retry_after_s
from vidu.fal.results import billable_units, error_from_result, is_final, parse_output
from vidu.models import Output, RequestHandle

NGINX = "<html>\r\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
SENT = "a private prompt"


def reply(status: int, body: object = None, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=names)


def model_error(kind: str, msg: str, *loc: str, **more: object) -> dict:
    return {"detail": [{"type": kind, "loc": ["body", *loc], "msg": msg, "input": SENT, **more}]}


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
def test_401_is_a_rejected_key_in_fals_words(detail):
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
def test_403_user_is_locked_is_a_locked_account(reason):
    error = error_from_response(reply(403, {"detail": f"User is locked. Reason: {reason}"}))
    assert type(error) is AccountLockedError
    assert reason in str(error)
    assert "fal.ai/dashboard/billing" in error.next_step


def test_a_lock_that_no_payment_lifts_is_fals_to_lift():
    words = "User is locked. Reason: Admin lock. Please contact support@fal.ai"
    error = error_from_response(reply(403, {"detail": words}))
    assert type(error) is AccountLockedError
    assert "support@fal.ai" in error.next_step


def test_any_other_403_is_a_refusal():
    error = error_from_response(reply(403, {"detail": "Forbidden"}))
    assert type(error) is ApiStatusError
    assert error.status_code == 403


@pytest.mark.parametrize("status", [307, 400, 404, 405, 408, 409, 418, 500, 502, 503, 504])
def test_any_other_status_is_a_refusal(status):
    error = error_from_response(reply(status, {"detail": "As fal says."}))
    assert type(error) is ApiStatusError
    assert error.status_code == status
    assert f"fal answered {status} (As fal says.)" in str(error)


def test_429_is_a_rate_limit():
    error = error_from_response(reply(429, {"detail": "Too many."}, retry_after="7"))
    assert type(error) is RateLimitedError
    assert error.retry_after_s == 7
    assert "Too many." in str(error)


def test_the_platforms_own_error_form_is_understood():
    body = {"error": {"type": "not_found", "message": "No such model.", "request_id": "r"}}
    assert "No such model." in str(error_from_response(reply(404, body)))


# -- Retry-After ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("30", 30), ("2.5", 2.5)])
def test_retry_after_in_seconds(value, seconds):
    assert retry_after_s(reply(429, retry_after=value)) == seconds


@pytest.mark.parametrize(
    ("until", "seconds"),
    [("Sun, 06 Nov 1994 08:50:07 GMT", 30), (DATE, 0), ("Sun, 06 Nov 1994 08:00:00 GMT", 0)],
)
def test_retry_after_as_a_date_is_told_by_fals_own_clock(until, seconds):
    assert retry_after_s(reply(429, retry_after=until, date=DATE)) == seconds


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e3", "9" * 40, "Sun, 99 Nov 1994 08:50:07"])
def test_a_retry_after_without_sense_is_none(value):
    assert retry_after_s(reply(429, retry_after=value, date=DATE)) is None


def test_no_retry_after_is_none():
    assert retry_after_s(reply(429)) is None


# -- failures: the result is an error ------------------------------------------------------------

IMAGE_FAILURES = {
    "image_load_error": "Failed to load the image.",
    "file_download_error": "Failed to download the file.",
    "image_too_small": "Image dimensions are too small.",
    "image_too_large": "Image dimensions are too large.",
    "image_aspect_ratio_error": "The aspect ratio of the image should be between 0.25 and 4.0.",
    "file_too_large": "File size exceeds the maximum allowed size of 52428800 bytes.",
    "unsupported_image_format": "Unsupported image format.",
    "face_detection_error": "No face.",
}


@pytest.mark.parametrize("kind", IMAGE_FAILURES)
def test_each_image_error_is_a_rejected_image_in_fals_words(kind):
    error = error_from_result(
        reply(422, model_error(kind, IMAGE_FAILURES[kind], "image_url")), "r-1"
    )
    assert type(error) is ImageRejectedError
    assert IMAGE_FAILURES[kind] in str(error)
    assert error.request_id == "r-1"


def test_the_type_decides_where_no_field_is_blamed():
    assert (
        type(error_from_result(reply(422, model_error("image_load_error", "x")), "r"))
        is ImageRejectedError
    )


def test_content_policy_goes_before_the_field_it_blames():
    for field in ("prompt", "image_url"):
        body = model_error("content_policy_violation", "Flagged by a content checker.", field)
        error = error_from_result(reply(422, body), "r")
        assert type(error) is ContentPolicyError
        assert "Flagged by a content checker." in str(error)


@pytest.mark.parametrize("kind", ["string_too_long", "value_error.missing", "sequence_too_long"])
def test_a_blamed_prompt_is_a_rejected_prompt(kind):
    error = error_from_result(
        reply(422, model_error(kind, "At most 1500 characters", "prompt")), "r"
    )
    assert type(error) is PromptRejectedError
    assert "prompt: At most 1500 characters" in str(error)


def test_a_blamed_image_is_a_rejected_image():
    error = error_from_result(
        reply(422, model_error("missing", "Field required", "image_url")), "r"
    )
    assert type(error) is ImageRejectedError


@pytest.mark.parametrize(
    ("status", "kind", "place"),
    [
        (422, "no_media_generated", ()),
        (422, "of_a_later_year", ()),
        (400, "downstream_service_error", ("image_url",)),
        (500, "internal_server_error", ("prompt",)),
        (500, "downstream_service_unavailable", ("seed",)),
        (504, "generation_timeout", ("seed",)),
    ],
)
def test_error_from_result_error_that_is_no_refusal_keeps_fals_words(status, kind, place):
    error = error_from_result(reply(status, model_error(kind, "As the model says.", *place)), "r")
    assert type(error) is GenerationError
    assert "As the model says." in str(error)
    assert error.status_code == status


@pytest.mark.parametrize(
    ("place", "kind", "words", "named"),
    [
        (("image_url",), ImageRejectedError, "the image", "image"),
        (("start_image_url",), ImageRejectedError, "the first frame", "image"),
        (("end_image_url",), ImageRejectedError, "the last frame", "end_image"),
        (("input_image_urls", 0), ImageRejectedError, "the image", "images 1"),
        (("reference_image_urls", 2), ImageRejectedError, "the reference image", "images 3"),
        (("reference_image_urls",), ImageRejectedError, "the reference image", "images"),
        (("reference_video_urls", 1), InputRejectedError, "the reference video", "videos 2"),
        (("reference_audio_urls", 0), InputRejectedError, "the reference voice", "voices 1"),
        (("video_url",), InputRejectedError, "the video", "video"),
        (("prompt",), PromptRejectedError, "the prompt", "prompt"),
        (("duration",), InputRejectedError, "an input", "duration"),
        (("resolution",), InputRejectedError, "an input", "resolution"),
        (("field_of_next_year",), InputRejectedError, "an input", "field_of_next_year"),
    ],
)
@pytest.mark.parametrize("type_", ["missing", "literal_error", "file_download_error", "any"])
def test_error_from_result_refused_input_is_named(place, kind, words, named, type_):
    error = error_from_result(reply(422, model_error(type_, "Not this.", *place)), "r")
    assert type(error) is kind
    assert error.refused_input == named
    assert f"fal could not use {words}: {named}: Not this." in str(error)


def test_error_from_result_several_refusals_name_the_file_first():
    details = model_error("missing", "Field required", "prompt")["detail"]
    details += model_error("missing", "Field required", "end_image_url")["detail"]
    error = error_from_result(reply(422, {"detail": details}), "r")
    assert type(error) is ImageRejectedError
    assert "the last frame: prompt: Field required; end_image: Field required" in str(error)


@pytest.mark.parametrize("kind", ["client_cancelled", "client_disconnected"])
def test_a_cancelled_request_is_told_as_one(kind):
    body = {"detail": "Request cancelled by the client.", "error_type": kind}
    assert type(error_from_result(reply(499, body), "r")) is GenerationCancelledError
    header = reply(400, {"detail": "Cancelled."}, x_fal_error_type=kind)
    assert type(error_from_result(header, "r")) is GenerationCancelledError


def test_the_client_closed_status_alone_is_a_cancelled_request():
    error = error_from_result(reply(499, {"detail": "Request cancelled by the client."}), "r")
    assert type(error) is GenerationCancelledError


@pytest.mark.parametrize(
    ("status", "units", "money"),
    [
        (422, None, Charge.MAYBE_SPENT),
        (422, "0", Charge.NOT_SPENT),
        (422, "0.0", Charge.NOT_SPENT),
        (422, "1", Charge.CHARGED),
        (422, "many", Charge.MAYBE_SPENT),
        (500, None, Charge.NOT_SPENT),
        (504, "1", Charge.NOT_SPENT),
        (499, None, Charge.MAYBE_SPENT),
    ],
)
def test_money_is_what_fal_says_of_it(status, units, money):
    headers = {} if units is None else {"x_fal_billable_units": units}
    assert error_from_result(reply(status, {"detail": "x"}, **headers), "r").charge is money


# -- is it the request's own error, or one on the way --------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (504, "request_timeout"),
        (504, "startup_timeout"),
        (503, "runner_scheduling_failure"),
        (503, "runner_connection_timeout"),
        (503, "runner_disconnected"),
        (502, "runner_incomplete_response"),
        (500, "runner_server_error"),
        (500, "internal_error"),
    ],
)
def test_an_infrastructure_error_with_its_type_is_a_verdict(status, kind):
    assert is_final(reply(status, {"detail": "x", "error_type": kind}), failed=True)
    assert is_final(reply(status, {"detail": "x"}, x_fal_error_type=kind), failed=True)
    assert is_final(reply(status, model_error(kind, "x")), failed=True)


@pytest.mark.parametrize("status", [400, 422, 499])
def test_a_4xx_is_a_verdict(status):
    assert is_final(reply(status, {"detail": "x"}), failed=True)
    assert is_final(reply(status, model_error("x", "x")), failed=False)


def test_after_a_status_without_an_error_it_needs_a_type():
    assert not is_final(reply(400, {"detail": "x"}), failed=False)
    assert not is_final(reply(500, {"detail": "x", "error_type": "x"}), failed=False)
    assert is_final(reply(422, {"detail": "x"}), failed=False)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 425, 429])
def test_an_answer_of_fals_door_is_none(status):
    assert not is_final(reply(status, {"detail": "x", "error_type": "x"}), failed=True)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(
    "body",
    [
        {"detail": "Internal Server Error"},
        {"detail": "x", "error_type": None},
        {"detail": [{"msg": "x", "type": None}]},
        {"detail": [{"msg": "x"}, "x", None]},
        {"detail": {"msg": "x"}},
        {},
        [],
    ],
)
def test_a_bare_5xx_is_none(status, body):
    assert not is_final(reply(status, body), failed=True)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_page_of_a_server_on_the_way_is_none(status):
    assert not is_final(httpx.Response(status, html=NGINX), failed=True)


def test_too_early_is_none():
    assert not is_final(reply(400, {"detail": "Request is still in progress"}), failed=True)


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
def test_words_are_found_in_every_form(body, words):
    assert error_message(reply(422, body)) == words


def test_a_page_of_html_is_told_by_its_status():
    assert error_message(httpx.Response(502, html=NGINX)) == "Bad Gateway"
    assert "nginx" not in str(error_from_response(httpx.Response(502, html=NGINX)))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'"\xff"'])
def test_a_broken_body_is_told_by_its_status(content):
    response = httpx.Response(500, content=content, headers={"content-type": "application/json"})
    assert error_message(response) == "Internal Server Error"


def test_a_status_nobody_knows_has_words_too():
    assert error_message(httpx.Response(599)) == "no words"


def test_half_a_character_can_be_written_down():
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
def test_whatever_fal_answers_it_is_read(status, body, failed):
    response = reply(status, body)
    assert "\n" not in error_message(response)
    assert str(error_from_response(response))
    assert str(error_from_result(response, "r"))
    assert is_final(response, failed=failed) in (True, False)
    parse_request_handle(response)
    parse_output(json_body(response), billable_units(response))


@given(st.lists(st.fixed_dictionaries({"msg": st.just("No."), "input": anything}), min_size=1))
def test_what_was_sent_is_never_told(details):
    response = reply(422, {"detail": details})
    assert error_message(response) == "; ".join("No." for _ in details)
    assert SENT not in str(error_from_result(reply(422, model_error("x", "No.", "prompt")), "r"))


# -- request handles and outputs

RECEIPT = RequestHandle("405a114e-04bd-463a", "https://q/s", "https://q/r", "https://q/c")
SUBMITTED = {
    "status": "IN_QUEUE",
    "request_id": RECEIPT.request_id,
    "response_url": RECEIPT.response_url,
    "status_url": RECEIPT.status_url,
    "cancel_url": RECEIPT.cancel_url,
    "queue_position": 0,
}


def test_a_receipt_is_read():
    assert parse_request_handle(reply(200, SUBMITTED)) == RECEIPT


@pytest.mark.parametrize("value", [None, 7, {}])
def test_a_receipt_without_an_id_is_none(value):
    assert parse_request_handle(reply(200, {**SUBMITTED, "request_id": value})) is None
    assert parse_request_handle(reply(200, {**SUBMITTED, "request_id": ""})) is None
    nameless = {name: text for name, text in SUBMITTED.items() if name != "request_id"}
    assert parse_request_handle(reply(200, nameless)) is None


@pytest.mark.parametrize("name", ["response_url", "status_url", "cancel_url"])
@pytest.mark.parametrize("value", [None, 7, {}])
def test_a_receipt_without_an_address_still_has_its_id(name, value):
    handle = parse_request_handle(reply(200, {**SUBMITTED, name: value}))
    assert handle == replace(RECEIPT, **{name: ""})
    assert not has_fal_urls(handle)


@pytest.mark.parametrize("name", ["", "../../admin", "a/b", "a b", "a\n", "x" * 65, "\u00e9"])
def test_a_request_id_that_could_lead_elsewhere_is_none(name):
    assert parse_request_handle(reply(200, {**SUBMITTED, "request_id": name})) is None


def test_a_receipt_in_a_broken_body_is_none():
    assert parse_request_handle(httpx.Response(200, content=json.dumps(SUBMITTED)[:40])) is None
    assert parse_request_handle(httpx.Response(200, html=NGINX)) is None


def test_an_output_is_read_with_what_fal_bills():
    body = {"video": {"url": "https://x/1.mp4", "file_size": 1234, "content_type": "video/mp4"}}
    response = reply(200, body, x_fal_billable_units="1")
    assert parse_output(json_body(response), billable_units(response)) == Output(
        "https://x/1.mp4", 1234, 1.0
    )


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ({"image": {"url": "https://x/1.png"}}, Output("https://x/1.png", kind="image")),
        ({"images": [{"url": "https://x/1.png"}]}, Output("https://x/1.png", kind="image")),
        ({"images": [None, {"url": "u"}, {"url": "v"}]}, Output("u", kind="image")),
        ({"image": {"url": "u", "file_size": 9}}, Output("u", 9, kind="image")),
        ({"video": {"url": "u"}, "cover_image": {"url": "c"}, "seed": 7}, Output("u", seed=7)),
        ({"video": {"url": "u"}, "image": {"url": "i"}}, Output("u")),
    ],
)
def test_parse_output_is_a_clip_or_a_still(body, output):
    assert parse_output(body) == output


@pytest.mark.parametrize("seed", [None, 0, -1, True, "7", 7.5, {}, 2**63])
def test_parse_output_seed_that_is_none_is_not_believed(seed):
    assert parse_output({"video": {"url": "u"}, "seed": seed}) == Output("u")


@pytest.mark.parametrize("images", [None, [], {}, "u", [None], [{"url": 7}]])
def test_parse_output_without_a_still_is_none(images):
    assert parse_output({"images": images, "image": images}) is None


@pytest.mark.parametrize("size", [None, 0, -1, True, "1234", 12.5, {}, 2**63])
def test_a_size_that_is_none_is_not_believed(size):
    assert parse_output({"video": {"url": "u", "file_size": size}}) == Output("u")


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"video": None}, {"video": "u"}, {"video": {}}]
    + [{"video": {"url": url}} for url in (None, 7, "", ["u"])],
)
def test_a_result_without_a_video_is_none(body):
    assert parse_output(body) is None


@pytest.mark.parametrize(("value", "units"), [("1", 1.0), ("0.5", 0.5), ("", None), ("x", None)])
def test_billable_units_are_a_number_or_none(value, units):
    assert billable_units(reply(200, x_fal_billable_units=value)) == units
    assert billable_units(reply(200)) is None
