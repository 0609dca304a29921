"""Faults in how a job ends and in its result."""

from __future__ import annotations

import time

import httpx
import pytest

from ....support.local_fal_calls import INFRASTRUCTURE_ERRORS, LISTING, MODEL_ERRORS

# How a job ends.


def test_slow_job_takes_ten_times_as_long(fal, post, finish):
    fal.set_faults("slow:1")
    assert finish(post().json())["metrics"]["inference_time"] > 0.4


def test_cancel_ignored_job_ends_billed(fal, client, post, finish):
    fal.set_faults("cancel_ignored:1,slow:1")
    handle = post().json()
    assert client.put(handle["cancel_url"]).status_code == 202
    assert "error" not in finish(handle)
    assert client.get(handle["response_url"]).json()["video"]["url"]
    assert fal.ledger()["billed_usd"] == 0.2


def test_slow_cancel_takes_effect_after_the_client_has_left(fal, client, post):
    fal.set_faults("slow_cancel:1,stuck_in_queue:1")
    handle = post().json()
    with pytest.raises(httpx.ReadTimeout):
        client.put(handle["cancel_url"], timeout=0.3)
    assert client.get(handle["status_url"]).json()["status"] == "IN_QUEUE"
    while client.get(handle["status_url"]).status_code == 202:
        time.sleep(0.1)
    assert client.get(handle["status_url"]).json()["error_type"] == "client_cancelled"


@pytest.mark.parametrize("fault", ["first_medium_refused", "last_medium_refused"])
def test_medium_refused_blames_the_mediums_field(fal, result, fault):
    fal.set_faults(f"{fault}:1")
    (detail,) = result().json()["detail"]
    assert (detail["type"], detail["loc"]) == ("content_policy_violation", ["body", "image_url"])


@pytest.mark.parametrize("kind", MODEL_ERRORS)
def test_model_error_ends_the_job_unbilled(fal, client, post, finish, kind):
    fal.set_faults(f"{kind}:1")
    handle = post().json()
    status = finish(handle)
    assert status["error"] == f"Invalid status code: {MODEL_ERRORS[kind]}"
    response = client.get(handle["response_url"])
    assert response.status_code == MODEL_ERRORS[kind]
    assert response.headers["x-fal-retryable"] == str(response.status_code >= 500).lower()
    (detail,) = response.json()["detail"]
    assert detail["type"] == kind
    assert detail["url"] == f"https://docs.fal.ai/errors/#{kind}"
    assert detail["loc"][0] == "body"
    assert fal.ledger()["billed_usd"] == 0


@pytest.mark.parametrize("kind", INFRASTRUCTURE_ERRORS)
def test_infrastructure_error_ends_the_job_unbilled(fal, client, post, finish, kind):
    fal.set_faults(f"{kind}:1")
    handle = post().json()
    status = finish(handle)
    assert status["error_type"] == kind
    response = client.get(handle["response_url"])
    assert response.status_code == INFRASTRUCTURE_ERRORS[kind]
    assert response.headers["x-fal-error-type"] == kind
    assert response.json() == {"detail": status["error"], "error_type": kind}
    assert fal.ledger()["billed_usd"] == 0


def test_job_with_odd_details_ends_in_their_form(fal, result):
    fal.set_faults("detail_text:1")
    assert isinstance(result().json()["detail"], str)
    fal.set_faults("detail_dict:1")
    assert isinstance(result().json()["detail"], dict)
    fal.set_faults("detail_html:1")
    page = result()
    assert (page.status_code, page.headers["content-type"][:9]) == (422, "text/html")
    fal.set_faults("detail_v1:1")
    assert result().json()["detail"][0]["type"] == "value_error.missing"


def test_expired_status_and_result_return_404_once(fal, client, post, finish):
    handle = post().json()
    finish(handle)
    fal.set_faults("status_expired:1,result_expired:1")
    for url in (handle["status_url"], handle["response_url"]):
        gone = client.get(url)
        assert (gone.status_code, gone.json()) == (404, {"status": "NOT_FOUND"})
        assert client.get(url).status_code == 200


def test_request_removed_returns_404_everywhere_and_is_not_listed(fal, client, post, finish):
    handle = post().json()
    finish(handle)
    fal.set_faults("request_removed")
    asked = [("GET", "status_url"), ("GET", "response_url"), ("PUT", "cancel_url")]
    assert {client.request(how, handle[name]).status_code for how, name in asked} == {404}
    assert client.get(LISTING).json()["items"] == []
    fal.set_faults("")
    assert client.get(handle["status_url"]).status_code == 200


def test_result_early_returns_400_once(fal, client, post, finish):
    url = finish(post().json())["response_url"]
    fal.set_faults("result_early:1")
    early = client.get(url)
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert client.get(url).status_code == 200


def test_result_with_an_odd_fault_lacks_or_changes_a_part(fal, client, result):
    fal.set_faults("video_missing:1")
    assert result().json() == {}
    fal.set_faults("video_null:1")
    assert result().json() == {"video": None}
    fal.set_faults("url_only:1")
    assert set(result().json()["video"]) == {"url"}
    fal.set_faults("file_size_off_by_one:1")
    video = result().json()["video"]
    assert video["file_size"] == len(client.get(video["url"]).content) + 1
    for fault, start in (
        ("file_url", "file:///"),
        ("http_url", "http://v3b.fal.media/"),
        ("private_url", "https://192.168."),
    ):
        fal.set_faults(f"{fault}:1")
        assert result().json()["video"]["url"].startswith(start)
