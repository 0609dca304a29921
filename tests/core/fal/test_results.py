"""What a result says of an error: its kind, its charge, and whether it is final."""

from __future__ import annotations

import httpx
import pytest

from vidu.errors import (
    Charge,
    ContentPolicyError,
    GenerationCancelledError,
    GenerationError,
    ImageRejectedError,
    InputRejectedError,
    PromptRejectedError,
)
from vidu.fal.results import error_from_result, is_final

from ...support.fal_replies import NGINX, model_error, reply

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
def test_error_from_result_image_error_is_a_rejected_image_in_fals_words(kind):
    error = error_from_result(
        reply(422, model_error(kind, IMAGE_FAILURES[kind], "image_url")), "r-1"
    )
    assert type(error) is ImageRejectedError
    assert IMAGE_FAILURES[kind] in str(error)
    assert error.request_id == "r-1"


@pytest.mark.parametrize("kind", IMAGE_FAILURES)
def test_error_from_result_without_a_field_is_decided_by_its_type(kind):
    error = error_from_result(reply(422, model_error(kind, "x")), "r")
    assert type(error) is ImageRejectedError


def test_error_from_result_content_policy_takes_precedence_over_the_field():
    for field in ("prompt", "image_url"):
        body = model_error("content_policy_violation", "Flagged by a content checker.", field)
        error = error_from_result(reply(422, body), "r")
        assert type(error) is ContentPolicyError
        assert "Flagged by a content checker." in str(error)


@pytest.mark.parametrize("kind", ["string_too_long", "value_error.missing", "sequence_too_long"])
def test_error_from_result_blaming_the_prompt_is_a_rejected_prompt(kind):
    error = error_from_result(
        reply(422, model_error(kind, "At most 1500 characters", "prompt")), "r"
    )
    assert type(error) is PromptRejectedError
    assert "prompt: At most 1500 characters" in str(error)


def test_error_from_result_blaming_the_image_is_a_rejected_image():
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
def test_error_from_result_of_a_cancelled_request_is_a_cancel(kind):
    body = {"detail": "Request cancelled by the client.", "error_type": kind}
    assert type(error_from_result(reply(499, body), "r")) is GenerationCancelledError
    header = reply(400, {"detail": "Cancelled."}, x_fal_error_type=kind)
    assert type(error_from_result(header, "r")) is GenerationCancelledError


def test_error_from_result_status_499_alone_is_a_cancel():
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
def test_error_from_result_charge_follows_fals_billable_units(status, units, money):
    headers = {} if units is None else {"x_fal_billable_units": units}
    assert error_from_result(reply(status, {"detail": "x"}, **headers), "r").charge is money


@pytest.mark.parametrize(
    ("status", "kind", "never_ran", "money"),
    [
        (499, "client_cancelled", True, Charge.NOT_SPENT),
        (499, "client_cancelled", False, Charge.MAYBE_SPENT),
        (400, "client_disconnected", True, Charge.NOT_SPENT),
        (422, "no_media_generated", True, Charge.MAYBE_SPENT),
        (400, "content_policy_violation", True, Charge.MAYBE_SPENT),
    ],
)
def test_error_from_result_is_free_without_units_only_where_a_cancel_kept_it_from_a_runner(
    status, kind, never_ran, money
):
    response = reply(status, {"detail": "x", "error_type": kind})
    assert error_from_result(response, "r", never_ran=never_ran).charge is money


def test_error_from_result_beyond_the_queue_limit_names_the_setting():
    response = reply(504, {"detail": "x"}, x_fal_request_timeout_type="user")
    error = error_from_result(response, "r-1")
    assert type(error) is GenerationError
    assert "waited for a runner longer than the queue limit" in error.message
    assert "VIDU_QUEUE_LIMIT_S" in error.next_step
    assert (error.charge, error.request_id) == (Charge.NOT_SPENT, "r-1")
    assert error.status_code == 504
    other = reply(504, {"detail": "x"}, x_fal_request_timeout_type="platform")
    assert "queue limit" not in error_from_result(other, "r-1").message


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
def test_is_final_infrastructure_error_with_its_type_is_true(status, kind):
    assert is_final(reply(status, {"detail": "x", "error_type": kind}), failed=True)
    assert is_final(reply(status, {"detail": "x"}, x_fal_error_type=kind), failed=True)
    assert is_final(reply(status, model_error(kind, "x")), failed=True)


@pytest.mark.parametrize("status", [400, 422, 499])
def test_is_final_4xx_is_true(status):
    assert is_final(reply(status, {"detail": "x"}), failed=True)
    assert is_final(reply(status, model_error("x", "x")), failed=False)


def test_is_final_after_a_status_without_an_error_needs_a_type():
    assert not is_final(reply(400, {"detail": "x"}), failed=False)
    assert not is_final(reply(500, {"detail": "x", "error_type": "x"}), failed=False)
    assert is_final(reply(422, {"detail": "x"}), failed=False)
    assert not is_final(httpx.Response(422, html=NGINX), failed=False)
    assert not is_final(reply(422, {"video": {"url": "https://v3b.fal.media/x"}}), failed=False)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 425, 429])
def test_is_final_response_of_fals_gateway_is_false(status):
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
def test_is_final_bare_5xx_is_false(status, body):
    assert not is_final(reply(status, body), failed=True)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_is_final_html_page_of_a_proxy_is_false(status):
    assert not is_final(httpx.Response(status, html=NGINX), failed=True)


def test_is_final_too_early_is_false():
    assert not is_final(reply(400, {"detail": "Request is still in progress"}), failed=True)
