"""Faults of the account, of the paid POST and of its response."""

from __future__ import annotations

import ssl

import httpx
import pytest

from ....support.local_fal_calls import ENDPOINT, SUBMIT, token, upload

# The account.


@pytest.mark.parametrize(
    ("fault", "reason"), [("user_locked", "Exhausted balance"), ("admin_locked", "Admin lock")]
)
def test_locked_account_refuses_submit_and_storage_but_not_status(
    fal, client, post, finish, fault, reason
):
    handle = post().json()
    finish(handle)
    fal.set_faults(fault)
    for response in (post(), token(client)):
        assert response.status_code == 403
        assert response.json()["detail"].startswith(f"User is locked. Reason: {reason}.")
    assert client.get(handle["status_url"]).status_code == 200
    assert fal.ledger()["counts"]["jobs"] == 1


def test_stuck_in_queue_stays_in_queue_while_others_finish(fal, client, post, finish):
    fal.set_faults("stuck_in_queue:1")
    stuck = post().json()
    finish(post().json())
    status = client.get(stuck["status_url"]).json()
    assert (status["status"], status["queue_position"]) == ("IN_QUEUE", 0)


# The paid POST.


def test_primary_dead_fails_in_the_tls_handshake(fal):
    fal.set_faults("primary_dead")
    trust = ssl.create_default_context(cafile=fal.environment["SSL_CERT_FILE"])
    with httpx.Client(proxy=fal.url, verify=trust) as client:
        with pytest.raises(httpx.ConnectError):
            client.get("https://queue.fal.run/")
        for host in ("queue.falrun.com", "rest.fal.ai"):
            assert client.get(f"https://{host}/").status_code == 404


def test_accepted_then_dropped_leaves_a_job(fal, post):
    fal.set_faults("accepted_then_dropped:1")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post()
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_but_silent_leaves_a_job(fal, client, image_url):
    fal.set_faults("accepted_but_silent:1")
    with pytest.raises(httpx.ReadTimeout):
        client.post(SUBMIT, json={"prompt": "x", "image_url": image_url}, timeout=0.3)
    assert fal.ledger()["counts"]["jobs"] == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_accepted_then_an_error_leaves_a_job(fal, post, status):
    fal.set_faults(f"accepted_then_{status}:1")
    response = post()
    assert response.status_code == status
    assert ("nginx" in response.text) == (status != 500)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_drip_leaves_a_job_when_the_client_gives_up(fal, client):
    fal.set_faults("accepted_drip:1")
    with client.stream("POST", SUBMIT, json={}, timeout=1) as response:
        assert (response.status_code, len(next(response.iter_raw()))) == (200, 1)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_unreadable_leaves_a_job(fal, post):
    fal.set_faults("accepted_unreadable:1")
    response = post()
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_strange_urls_name_a_foreign_host(fal, post):
    fal.set_faults("accepted_strange_urls:1")
    assert httpx.URL(post().json()["status_url"]).host == "queue.example.com"
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_as_first_repeats_the_first_reply(fal, post):
    first = post().json()
    fal.set_faults("accepted_as_first:1")
    assert post().json()["request_id"] == first["request_id"]
    assert fal.ledger()["counts"]["jobs"] == 2


def test_accepted_urls_of_first_has_an_id_of_its_own(fal, post):
    first = post().json()
    fal.set_faults("accepted_urls_of_first:1")
    second = post().json()
    assert second["request_id"] != first["request_id"]
    assert second["status_url"] == first["status_url"]


def test_slow_accept_leaves_a_job_when_the_client_gives_up(fal, client):
    fal.set_faults("slow_accept:1")
    with pytest.raises(httpx.ReadTimeout):
        client.post(SUBMIT, json={}, timeout=1)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_submit_307_accepts_no_job_until_it_is_followed(fal, post, client):
    fal.set_faults("submit_307:1")
    response = post()
    assert response.status_code == 307
    assert response.headers["location"] == f"https://queue.falrun.com/{ENDPOINT}"
    assert client.post(response.headers["location"], json={}).status_code == 200
    counts = fal.ledger()["counts"]
    assert counts["jobs"] == 1
    assert counts["submits"] == {"queue.fal.run": 1, "queue.falrun.com": 1}


def test_expired_token_refuses_one_upload(fal, client):
    fal.set_faults("expired_token:1")
    assert upload(client, b"x").status_code == 401
    assert upload(client, b"x").status_code == 200
