"""Each fault of local_fal does what its line says; none is left out."""

from __future__ import annotations

import io
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from fractions import Fraction
from itertools import pairwise

import av
import httpx
import numpy as np
import pytest
from PIL import Image

import local_fal

ENDPOINT = "fal-ai/vidu/image-to-video"
SUBMIT = f"https://queue.fal.run/{ENDPOINT}"
REST = "https://rest.fal.ai"
LISTING = f"https://api.fal.ai/v1/models/requests/by-endpoint?endpoint_id={ENDPOINT}"
FRAMES = 12

STATUSES = ("408", "409", "429", "500", "502", "503", "504")
KINDS = (*STATUSES, "reset", "timeout", "drip", "endless", "gzip_bomb")
PLACES = (
    "submit",
    "token",
    "upload",
    "status",
    "result",
    "cancel",
    "download",
    "listing",
)

MODEL_ERRORS = {
    "internal_server_error": 500,
    "generation_timeout": 504,
    "downstream_service_error": 400,
    "downstream_service_unavailable": 500,
    **dict.fromkeys(
        [
            "content_policy_violation",
            "no_media_generated",
            "image_load_error",
            "file_download_error",
            "image_too_small",
            "image_too_large",
            "image_aspect_ratio_error",
            "file_too_large",
            "unsupported_image_format",
            "unsupported_video_format",
            "unsupported_audio_format",
            "audio_duration_too_short",
            "audio_duration_too_long",
            "face_detection_error",
            "feature_not_supported",
            "greater_than",
            "greater_than_equal",
            "less_than",
            "less_than_equal",
            "multiple_of",
            "sequence_too_short",
            "sequence_too_long",
            "one_of",
        ],
        422,
    ),
}

INFRASTRUCTURE_ERRORS = {
    "request_timeout": 504,
    "startup_timeout": 504,
    "runner_scheduling_failure": 503,
    "runner_connection_timeout": 503,
    "runner_disconnected": 503,
    "runner_connection_refused": 503,
    "runner_connection_error": 503,
    "runner_incomplete_response": 502,
    "runner_server_error": 500,
    "client_disconnected": 499,
    "client_cancelled": 499,
    "bad_request": 400,
    "internal_error": 500,
}

SINGLE = {
    "user_locked",
    "admin_locked",
    "stuck_in_queue",
    "primary_dead",
    "accepted_then_dropped",
    "accepted_but_silent",
    "accepted_then_500",
    "accepted_then_502",
    "accepted_then_504",
    "accepted_unreadable",
    "accepted_strange_urls",
    "accepted_drip",
    "slow_accept",
    "submit_307",
    "expired_token",
    "slow",
    "cancel_ignored",
    "slow_cancel",
    "first_medium_refused",
    "last_medium_refused",
    "request_removed",
    "file_size_off_by_one",
    "status_expired",
    "result_expired",
    "result_early",
    "video_missing",
    "video_null",
    "url_only",
    "file_url",
    "http_url",
    "private_url",
    "detail_text",
    "detail_dict",
    "detail_html",
    "detail_v1",
    "clip_gone",
    "clip_forbidden",
    "clip_expired",
    "unsized_half",
    "chunked_half",
    "size_changes",
    "gzipped_clip",
    "redirect",
    "redirect_to_private",
    "truncated",
    "short",
    "empty",
    "html",
    "download_broken",
    "download_stalled",
    "no_range",
    "cut_clip",
    "with_audio",
    "without_audio",
    "fragmented",
    "hybrid_fragmented",
    "prores",
    "webm",
    "still_instead",
    "clip_instead",
    "fps_16",
    "odd_size",
    "index_last",
    "variable_frame_rate",
    "rotated",
    "untagged_color",
    "listing_unavailable",
    "listing_without_payloads",
    "listing_shows_running",
    "listing_input_cut",
    "listing_input_text",
    "listing_input_empty",
    "listing_input_nested",
    "listing_input_null",
    "listing_seed_text",
    "listing_without_defaults",
    "listing_urls_signed",
    "listing_more_without_cursor",
    "listing_cursor_without_more",
}


def test_faults_are_exactly_those_tested_here():
    families = {f"{place}_{kind}" for place in PLACES for kind in KINDS} - {"submit_drip"}
    tested = SINGLE | MODEL_ERRORS.keys() | INFRASTRUCTURE_ERRORS.keys() | families
    assert tested == local_fal.FAULTS.keys()


@pytest.fixture(scope="module")
def shared() -> Iterator:
    with local_fal.running(
        generation_seconds=0.05, clip_size=(64, 36), clip_frames=FRAMES, concurrency=2
    ) as fal:
        yield fal


@pytest.fixture
def fal(shared):
    shared.reset()
    return shared


@pytest.fixture(scope="module")
def client(shared) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=shared.environment["SSL_CERT_FILE"])
    headers = {"Authorization": f"Key {shared.key}"}
    with httpx.Client(proxy=shared.url, verify=trust, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def image_url(shared, client) -> str:
    file = io.BytesIO()
    Image.effect_noise((64, 36), 90).convert("RGB").save(file, "PNG")
    return upload(client, file.getvalue()).json()["access_url"]


def token(client: httpx.Client) -> httpx.Response:
    return client.post(f"{REST}/storage/auth/token?storage_type=fal-cdn-v3", json={})


def upload(client: httpx.Client, data: bytes) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token(client).json()['token']}"}
    return client.post("https://v3.fal.media/files/upload", content=data, headers=bearer)


@pytest.fixture
def post(client, image_url) -> Callable[[], httpx.Response]:
    return lambda: client.post(SUBMIT, json={"prompt": "a wave", "image_url": image_url})


@pytest.fixture
def finish(client) -> Callable[[dict], dict]:
    def finish(handle: dict) -> dict:
        while (response := client.get(handle["status_url"])).status_code == 202:
            time.sleep(0.02)
        assert response.status_code == 200
        return response.json()

    return finish


@pytest.fixture
def result(client, post, finish) -> Callable[[], httpx.Response]:
    def result() -> httpx.Response:
        handle = post().json()
        finish(handle)
        return client.get(handle["response_url"])

    return result


@pytest.fixture
def clip(client, result) -> Callable[[], bytes]:
    return lambda: client.get(result().json()["video"]["url"]).content


# Every request can fail in each of these ways.


@pytest.fixture
def ask(client, post, finish, result, image_url) -> Callable[[str], Callable[[], httpx.Response]]:
    """Makes ready for a request of a kind and returns what makes it."""

    def ask(place: str) -> Callable[[], httpx.Response]:
        if place in ("status", "result", "cancel"):
            handle = post().json()
            finish(handle)
            name = {"status": "status_url", "result": "response_url", "cancel": "cancel_url"}[place]
            method = "PUT" if place == "cancel" else "GET"
            return lambda: client.request(method, handle[name], timeout=0.3)
        return {
            "submit": lambda: client.post(SUBMIT, json={}, timeout=0.3),
            "token": lambda: client.post(f"{REST}/storage/auth/token", timeout=0.3),
            "upload": lambda: client.post("https://v3.fal.media/files/upload", timeout=0.3),
            "download": lambda: client.get(image_url, timeout=0.3),
            "listing": lambda: client.get(LISTING, timeout=0.3),
        }[place]

    return ask


@pytest.mark.parametrize("place", PLACES)
def test_place_fault_strikes_once_and_accepts_no_job(fal, ask, place):
    request = ask(place)
    jobs = fal.ledger()["counts"]["jobs"]
    for kind in STATUSES:
        fal.set_faults(f"{place}_{kind}:1")
        response = request()
        assert response.status_code == int(kind)
        assert ("nginx" in response.text) == (kind in ("502", "503", "504"))
        assert "x-fal-request-id" not in response.headers
        assert response.headers.get("retry-after") == ("2" if kind == "429" else None)
    fal.set_faults(f"{place}_reset:1")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        request()
    fal.set_faults(f"{place}_timeout:1")
    with pytest.raises(httpx.ReadTimeout):
        request()
    assert fal.ledger()["counts"]["jobs"] == jobs
    # Each happened once: the next is answered as ever.
    assert request().status_code in (200, 400, 401)


def test_drip_sends_one_byte_every_third_of_a_second(fal, client, post, finish):
    handle = post().json()
    finish(handle)
    fal.set_faults("status_drip:1")
    with client.stream("GET", handle["status_url"]) as response:
        began = time.monotonic()
        chunks = [chunk for chunk, _ in zip(response.iter_raw(), range(4), strict=False)]
    assert [len(chunk) for chunk in chunks] == [1, 1, 1, 1]
    assert time.monotonic() - began > 0.8
    assert client.get(handle["status_url"]).status_code == 200


@pytest.mark.parametrize("kind", ["endless", "gzip_bomb"])
def test_endless_error_body_outlasts_a_patient_reader(fal, client, post, finish, kind):
    handle = post().json()
    finish(handle)
    fal.set_faults(f"status_{kind}:1")
    read = 0
    with client.stream("GET", handle["status_url"]) as response:
        assert response.status_code == 500
        for chunk in response.iter_bytes():
            read += len(chunk)
            if read > 20_000_000:
                break
    assert read > 20_000_000
    assert client.get(handle["status_url"]).status_code == 200


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


def test_odd_details_end_the_job_in_their_form(fal, result):
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


def test_odd_results_lack_or_change_a_part(fal, client, result):
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


# The download.


def test_download_faults_return_something_else_once(fal, client, result):
    video = result().json()["video"]
    whole = client.get(video["url"]).content
    assert len(whole) == video["file_size"]
    fal.set_faults("clip_gone:1")
    assert client.get(video["url"]).status_code == 404
    fal.set_faults("clip_forbidden:1")
    assert client.get(video["url"]).status_code == 403
    fal.set_faults("clip_expired:1")
    assert client.get(video["url"]).status_code == 410
    fal.set_faults("gzipped_clip:1")
    gzipped = client.get(video["url"])
    assert gzipped.headers["content-encoding"] == "gzip"
    assert "content-length" not in gzipped.headers
    assert gzipped.content == whole
    fal.set_faults("truncated:1")
    half = client.get(video["url"])
    assert half.content == whole[: len(whole) // 2]
    assert int(half.headers["content-length"]) == len(half.content)
    fal.set_faults("empty:1")
    nothing = client.get(video["url"])
    assert (nothing.status_code, nothing.content) == (200, b"")
    fal.set_faults("html:1")
    assert client.get(video["url"]).headers["content-type"].startswith("text/html")
    fal.set_faults("redirect:1")
    moved = client.get(video["url"])
    assert moved.status_code == 302
    assert client.get(moved.headers["location"]).content == whole
    fal.set_faults("redirect_to_private:1")
    location = client.get(video["url"]).headers["location"]
    assert httpx.URL(location).host == "169.254.169.254"
    fal.set_faults("no_range:1")
    ranged = [client.get(video["url"], headers={"Range": "bytes=5-"}) for _ in range(2)]
    assert [response.status_code for response in ranged] == [200, 206]
    assert fal.ledger()["counts"]["downloads"] == 13


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("short", httpx.RemoteProtocolError),
        ("download_broken", (httpx.RemoteProtocolError, httpx.ReadError)),
        ("download_stalled", httpx.ReadTimeout),
    ],
)
def test_download_faults_end_half_way(fal, client, result, fault, error):
    video = result().json()["video"]
    fal.set_faults(f"{fault}:1")
    came = bytearray()
    with client.stream("GET", video["url"], timeout=0.3) as response:
        assert int(response.headers["content-length"]) == video["file_size"]
        with pytest.raises(error):
            for chunk in response.iter_raw():
                came += chunk
    assert len(came) == video["file_size"] // 2


@pytest.mark.parametrize(
    ("fault", "framing"), [("unsized_half", set()), ("chunked_half", {"transfer-encoding"})]
)
def test_half_of_a_fragmented_clip_ends_at_a_fragment(fal, client, result, fault, framing):
    fal.set_faults(f"fragmented:1,{fault}:1")
    url = result().json()["video"]["url"]
    half, whole = client.get(url), client.get(url)
    assert {"content-length", "transfer-encoding"} & half.headers.keys() == framing
    assert whole.content[len(half.content) + 4 :].startswith(b"moof")
    with opened(half.content) as container:
        assert 0 < len(list(container.decode(video=0))) < FRAMES


def test_size_changes_serves_a_longer_file_after_half_of_the_first(fal, client, result):
    video = result().json()["video"]
    fal.set_faults("size_changes:1")
    with client.stream("GET", video["url"]) as response:
        etag, size = response.headers["etag"], int(response.headers["content-length"])
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            response.read()
    rest = client.get(video["url"], headers={"Range": "bytes=9-", "If-Range": etag})
    assert (size, rest.status_code) == (video["file_size"], 200)
    assert len(rest.content) > size
    with opened(rest.content) as container:
        assert len(list(container.decode(video=0))) == FRAMES


# The clip itself.


def opened(data: bytes):
    return av.open(io.BytesIO(data))


def test_clip_without_faults_is_h264_with_its_index_first(fal, clip):
    data = clip()
    with opened(data) as container:
        (stream,) = container.streams
        assert (stream.width, stream.height) == (64, 36)
        assert stream.average_rate == 24
        assert stream.codec_context.colorspace == 1
        assert len(list(container.decode(stream))) == FRAMES
    assert data.index(b"moov") < data.index(b"mdat")


def test_cut_clip_decodes_in_part(fal, client, result):
    fal.set_faults("cut_clip:1")
    video = result().json()["video"]
    data = client.get(video["url"]).content
    assert len(data) == video["file_size"]
    decoded = 0
    with opened(data) as container, suppress(av.FFmpegError):
        assert container.streams.video[0].frames == FRAMES
        for _ in container.decode(video=0):
            decoded += 1
    assert decoded < FRAMES


def test_with_audio_has_an_audible_track(fal, clip):
    fal.set_faults("with_audio:1")
    with opened(clip()) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert len(list(container.decode(video=0))) == FRAMES
    # The tone is there, and can be heard.
    fal.set_faults("with_audio:1")
    with opened(clip()) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert sound.max() > 0.1


def test_fps_16_has_fewer_frames(fal, clip):
    fal.set_faults("fps_16:1")
    with opened(clip()) as container:
        assert container.streams.video[0].average_rate == 16
        assert len(list(container.decode(video=0))) == FRAMES * 62 // 96


def test_odd_size_has_odd_sides(fal, clip):
    fal.set_faults("odd_size:1")
    with opened(clip()) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (63, 35)


def test_index_last_has_moov_after_mdat(fal, clip):
    fal.set_faults("index_last:1")
    data = clip()
    assert data.index(b"mdat") < data.index(b"moov")
    with opened(data) as container:
        assert len(list(container.decode(video=0))) == FRAMES


def test_variable_frame_rate_shows_every_third_frame_longer(fal, clip):
    fal.set_faults("variable_frame_rate:1")
    with opened(clip()) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    gaps = [later - earlier for earlier, later in pairwise(shown)]
    assert gaps == [Fraction(1 + (index % 3 == 2), 24) for index in range(FRAMES - 1)]


def test_rotated_carries_a_quarter_turn(fal, clip):
    fal.set_faults("rotated:1")
    with opened(clip()) as container:
        assert abs(next(container.decode(video=0)).rotation) == 90


def test_untagged_color_has_unspecified_tags(fal, clip):
    fal.set_faults("untagged_color:1")
    with opened(clip()) as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        assert {context.colorspace, context.color_primaries, context.color_trc} == {2}
        assert frame.colorspace == 2


@pytest.mark.parametrize("fault", ["fragmented", "hybrid_fragmented"])
def test_fragmented_clip_decodes_whole(fal, clip, fault):
    fal.set_faults(f"{fault}:1")
    data = clip()
    assert data.count(b"moof") > 1 if fault == "fragmented" else b"moof" not in data[:16]
    with opened(data) as container:
        assert len(list(container.decode(video=0))) == FRAMES


@pytest.mark.parametrize(
    ("fault", "codec", "kind"),
    [("prores", "prores", "video/quicktime"), ("webm", "vp9", "video/webm")],
)
def test_clip_of_another_codec_decodes_whole(fal, client, result, fault, codec, kind):
    fal.set_faults(f"{fault}:1")
    video = result().json()["video"]
    assert video["content_type"] == kind
    with opened(client.get(video["url"]).content) as container:
        assert container.streams.video[0].codec_context.name.startswith(codec)
        assert len(list(container.decode(video=0))) == FRAMES


def test_still_instead_serves_a_png(fal, client, result):
    fal.set_faults("still_instead:1")
    video = result().json()["video"]
    assert video["content_type"] == "image/png"
    assert Image.open(io.BytesIO(client.get(video["url"]).content)).size == (64, 36)


# The listing.


def test_clock_skew_moves_the_date_header_and_the_listing(fal, client, post, finish):
    finish(post().json())
    (before,) = client.get(LISTING).json()["items"]
    fal.set_clock_skew(-3 * 86400)
    response = client.get(LISTING)
    (after,) = response.json()["items"]
    date = parsedate_to_datetime(response.headers["date"]).timestamp()
    assert date == pytest.approx(time.time() - 3 * 86400, abs=2)
    moved = datetime.fromisoformat(before["ended_at"]) - datetime.fromisoformat(after["ended_at"])
    assert moved.total_seconds() == pytest.approx(3 * 86400)


INPUTS: dict[str, Callable[[dict], object]] = {
    "listing_input_cut": lambda given: json.dumps(given)[: len(json.dumps(given)) // 2],
    "listing_input_text": json.dumps,
    "listing_input_empty": lambda given: {},
    "listing_input_nested": lambda given: {"input": given},
    "listing_input_null": lambda given: None,
    "listing_seed_text": lambda given: given | {"seed": str(given["seed"])},
    "listing_without_defaults": lambda given: {
        name: value for name, value in given.items() if name != "movement_amplitude"
    },
}


@pytest.mark.parametrize("fault", INPUTS)
def test_listing_shape_changes_the_input_once(fal, client, finish, image_url, fault):
    given = {"prompt": "x", "image_url": image_url, "seed": 5, "movement_amplitude": "auto"}
    finish(client.post(SUBMIT, json=given).json())
    url = f"{LISTING}&expand=payloads"
    fal.set_faults(f"{fault}:1")
    (odd,), (usual,) = (client.get(url).json()["items"] for _ in range(2))
    assert odd["json_input"] == INPUTS[fault](given)
    assert usual["json_input"] == given


def test_listing_urls_signed_differ_at_every_request_and_lead_to_the_clip(fal, client, result):
    url = result().json()["video"]["url"]
    fal.set_faults("listing_urls_signed")
    listed = [client.get(f"{LISTING}&expand=payloads").json()["items"] for _ in range(2)]
    first, second = (items[0]["json_output"]["video"]["url"] for items in listed)
    assert first != second
    assert client.get(first).content == client.get(url).content


def test_listing_more_without_cursor_shows_nothing_and_promises_more(fal, client, result):
    result()
    fal.set_faults("listing_more_without_cursor:1")
    page = client.get(LISTING).json()
    assert page == {"items": [], "has_more": True, "next_cursor": None}


def test_listing_cursor_without_more_leads_to_the_jobs(fal, client, result):
    result()
    fal.set_faults("listing_cursor_without_more:1")
    page = client.get(LISTING).json()
    assert (page["items"], page["has_more"]) == ([], False)
    assert len(client.get(f"{LISTING}&cursor={page['next_cursor']}").json()["items"]) == 1


def test_listing_unavailable_returns_403(fal, client):
    fal.set_faults("listing_unavailable:1")
    refused = client.get(LISTING)
    assert refused.status_code == 403
    assert set(refused.json()["error"]) == {"type", "message", "docs_url", "request_id"}


def test_listing_without_payloads_hides_input_and_output(fal, client, post, finish):
    finish(post().json())
    url = f"{LISTING}&expand=payloads"
    (item,) = client.get(url).json()["items"]
    fal.set_faults("listing_without_payloads:1")
    (bare,) = client.get(url).json()["items"]
    assert set(item) - set(bare) == {"json_input", "json_output"}


def test_listing_shows_running_includes_unended_jobs(fal, client, post):
    fal.set_faults("stuck_in_queue:1,listing_shows_running:1")
    handle = post().json()
    (item,) = client.get(LISTING).json()["items"]
    assert (item["request_id"], item["ended_at"]) == (handle["request_id"], None)
    assert client.get(LISTING).json()["items"] == []
