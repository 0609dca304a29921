"""Each fault of local_fal does what its line says; none is left out."""

from __future__ import annotations

import io
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
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
PRICING = f"https://api.fal.ai/v1/models/pricing?endpoint_id={ENDPOINT}"
BILLING = "https://api.fal.ai/v1/account/billing?expand=credits"
FRAMES = 12

KINDS = ("408", "409", "429", "500", "502", "503", "504", "reset", "timeout")
PLACES = (
    "submit",
    "token",
    "upload",
    "status",
    "result",
    "cancel",
    "download",
    "listing",
    "pricing",
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
    "billing_forbidden",
    "primary_dead",
    "accepted_then_dropped",
    "accepted_but_silent",
    "accepted_then_500",
    "accepted_then_502",
    "accepted_then_504",
    "accepted_unreadable",
    "accepted_strange_urls",
    "slow_accept",
    "submit_307",
    "expired_token",
    "slow",
    "cancel_ignored",
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
    "fps_16",
    "odd_size",
    "index_last",
    "variable_frame_rate",
    "rotated",
    "untagged_color",
    "listing_unavailable",
    "listing_without_payloads",
    "listing_shows_running",
}


def test_none_is_left_out():
    families = {f"{place}_{kind}" for place in PLACES for kind in KINDS}
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
            "pricing": lambda: client.get(PRICING, timeout=0.3),
        }[place]

    return ask


@pytest.mark.parametrize("place", PLACES)
def test_a_request_that_fails(fal, ask, place):
    request = ask(place)
    jobs = fal.ledger()["counts"]["jobs"]
    for kind in KINDS[:-2]:
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


# The account.


@pytest.mark.parametrize(
    ("fault", "reason"), [("user_locked", "Exhausted balance"), ("admin_locked", "Admin lock")]
)
def test_a_locked_account(fal, client, post, finish, fault, reason):
    handle = post().json()
    finish(handle)
    fal.set_faults(fault)
    initiate = client.post(f"{REST}/storage/upload/initiate?storage_type=fal-cdn-v3", json={})
    for response in (post(), token(client), initiate):
        assert response.status_code == 403
        assert response.json()["detail"].startswith(f"User is locked. Reason: {reason}.")
    assert client.get(handle["status_url"]).status_code == 200
    assert fal.ledger()["counts"]["jobs"] == 1


def test_stuck_in_queue(fal, client, post, finish):
    fal.set_faults("stuck_in_queue:1")
    stuck = post().json()
    finish(post().json())
    status = client.get(stuck["status_url"]).json()
    assert (status["status"], status["queue_position"]) == ("IN_QUEUE", 0)


def test_billing_forbidden(fal, client):
    fal.set_faults("billing_forbidden:1")
    assert client.get(BILLING).status_code == 403
    assert client.get(BILLING).status_code == 200


# The paid POST.


def test_primary_dead(fal):
    fal.set_faults("primary_dead")
    trust = ssl.create_default_context(cafile=fal.environment["SSL_CERT_FILE"])
    with httpx.Client(proxy=fal.url, verify=trust) as client:
        for host in ("queue.fal.run", "fal.run"):
            with pytest.raises(httpx.ConnectError):
                client.get(f"https://{host}/")
        for host in ("queue.falrun.com", "falrun.com", "rest.fal.ai"):
            assert client.get(f"https://{host}/").status_code == 404


def test_accepted_then_dropped(fal, post):
    fal.set_faults("accepted_then_dropped:1")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post()
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_but_silent(fal, client, image_url):
    fal.set_faults("accepted_but_silent:1")
    with pytest.raises(httpx.ReadTimeout):
        client.post(SUBMIT, json={"prompt": "x", "image_url": image_url}, timeout=0.3)
    assert fal.ledger()["counts"]["jobs"] == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_accepted_then_an_error(fal, post, status):
    fal.set_faults(f"accepted_then_{status}:1")
    response = post()
    assert response.status_code == status
    assert ("nginx" in response.text) == (status != 500)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_unreadable(fal, post):
    fal.set_faults("accepted_unreadable:1")
    response = post()
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()
    assert fal.ledger()["counts"]["jobs"] == 1


def test_accepted_strange_urls(fal, post):
    fal.set_faults("accepted_strange_urls:1")
    assert httpx.URL(post().json()["status_url"]).host == "queue.example.com"
    assert fal.ledger()["counts"]["jobs"] == 1


def test_slow_accept(fal, client):
    fal.set_faults("slow_accept:1")
    with pytest.raises(httpx.ReadTimeout):
        client.post(SUBMIT, json={}, timeout=1)
    assert fal.ledger()["counts"]["jobs"] == 1


def test_submit_307(fal, post, client):
    fal.set_faults("submit_307:1")
    response = post()
    assert response.status_code == 307
    assert response.headers["location"] == f"https://queue.falrun.com/{ENDPOINT}"
    assert client.post(response.headers["location"], json={}).status_code == 200
    counts = fal.ledger()["counts"]
    assert counts["jobs"] == 1
    assert counts["submits"] == {"queue.fal.run": 1, "queue.falrun.com": 1}


def test_expired_token(fal, client):
    fal.set_faults("expired_token:1")
    assert upload(client, b"x").status_code == 401
    assert upload(client, b"x").status_code == 200


# How a job ends.


def test_slow(fal, post, finish):
    fal.set_faults("slow:1")
    assert finish(post().json())["metrics"]["inference_time"] > 0.4


def test_cancel_ignored(fal, client, post, finish):
    fal.set_faults("cancel_ignored:1,slow:1")
    handle = post().json()
    assert client.put(handle["cancel_url"]).status_code == 202
    assert "error" not in finish(handle)
    assert client.get(handle["response_url"]).json()["video"]["url"]
    assert fal.ledger()["billed_usd"] == 0.2


@pytest.mark.parametrize("kind", MODEL_ERRORS)
def test_an_error_of_the_model(fal, client, post, finish, kind):
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
def test_an_error_around_the_model(fal, client, post, finish, kind):
    fal.set_faults(f"{kind}:1")
    handle = post().json()
    status = finish(handle)
    assert status["error_type"] == kind
    response = client.get(handle["response_url"])
    assert response.status_code == INFRASTRUCTURE_ERRORS[kind]
    assert response.headers["x-fal-error-type"] == kind
    assert response.json() == {"detail": status["error"], "error_type": kind}
    assert fal.ledger()["billed_usd"] == 0


def test_details_in_other_forms(fal, result):
    fal.set_faults("detail_text:1")
    assert isinstance(result().json()["detail"], str)
    fal.set_faults("detail_dict:1")
    assert isinstance(result().json()["detail"], dict)
    fal.set_faults("detail_html:1")
    page = result()
    assert (page.status_code, page.headers["content-type"][:9]) == (422, "text/html")
    fal.set_faults("detail_v1:1")
    assert result().json()["detail"][0]["type"] == "value_error.missing"


def test_expired(fal, client, post, finish):
    handle = post().json()
    finish(handle)
    fal.set_faults("status_expired:1,result_expired:1")
    for url in (handle["status_url"], handle["response_url"]):
        gone = client.get(url)
        assert (gone.status_code, gone.json()) == (404, {"status": "NOT_FOUND"})
        assert client.get(url).status_code == 200


def test_early(fal, client, post, finish):
    url = finish(post().json())["response_url"]
    fal.set_faults("result_early:1")
    early = client.get(url)
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert client.get(url).status_code == 200


def test_odd_results(fal, result):
    fal.set_faults("video_missing:1")
    assert result().json() == {}
    fal.set_faults("video_null:1")
    assert result().json() == {"video": None}
    fal.set_faults("url_only:1")
    assert set(result().json()["video"]) == {"url"}
    for fault, start in (
        ("file_url", "file:///"),
        ("http_url", "http://v3b.fal.media/"),
        ("private_url", "https://192.168."),
    ):
        fal.set_faults(f"{fault}:1")
        assert result().json()["video"]["url"].startswith(start)


# The download.


def test_downloads_that_are_not_the_clip(fal, client, result):
    video = result().json()["video"]
    whole = client.get(video["url"]).content
    assert len(whole) == video["file_size"]
    fal.set_faults("clip_gone:1")
    assert client.get(video["url"]).status_code == 404
    fal.set_faults("clip_forbidden:1")
    assert client.get(video["url"]).status_code == 403
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
    assert fal.ledger()["counts"]["downloads"] == 11


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("short", httpx.RemoteProtocolError),
        ("download_broken", (httpx.RemoteProtocolError, httpx.ReadError)),
        ("download_stalled", httpx.ReadTimeout),
    ],
)
def test_downloads_that_end_half_way(fal, client, result, fault, error):
    video = result().json()["video"]
    fal.set_faults(f"{fault}:1")
    came = bytearray()
    with client.stream("GET", video["url"], timeout=0.3) as response:
        assert int(response.headers["content-length"]) == video["file_size"]
        with pytest.raises(error):
            for chunk in response.iter_raw():
                came += chunk
    assert len(came) == video["file_size"] // 2


# The clip itself.


def opened(data: bytes):
    return av.open(io.BytesIO(data))


def test_the_usual_clip(fal, clip):
    data = clip()
    with opened(data) as container:
        (stream,) = container.streams
        assert (stream.width, stream.height) == (64, 36)
        assert stream.average_rate == 24
        assert stream.codec_context.colorspace == 1
        assert len(list(container.decode(stream))) == FRAMES
    assert data.index(b"moov") < data.index(b"mdat")


def test_cut_clip(fal, client, result):
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


def test_with_audio(fal, clip):
    fal.set_faults("with_audio:1")
    with opened(clip()) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert len(list(container.decode(video=0))) == FRAMES
    # The tone is there, and can be heard.
    fal.set_faults("with_audio:1")
    with opened(clip()) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert sound.max() > 0.1


def test_fps_16(fal, clip):
    fal.set_faults("fps_16:1")
    with opened(clip()) as container:
        assert container.streams.video[0].average_rate == 16
        assert len(list(container.decode(video=0))) == FRAMES * 62 // 96


def test_odd_size(fal, clip):
    fal.set_faults("odd_size:1")
    with opened(clip()) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height) == (63, 35)


def test_index_last(fal, clip):
    fal.set_faults("index_last:1")
    data = clip()
    assert data.index(b"mdat") < data.index(b"moov")
    with opened(data) as container:
        assert len(list(container.decode(video=0))) == FRAMES


def test_variable_frame_rate(fal, clip):
    fal.set_faults("variable_frame_rate:1")
    with opened(clip()) as container:
        shown = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    gaps = [later - earlier for earlier, later in pairwise(shown)]
    assert gaps == [Fraction(1 + (index % 3 == 2), 24) for index in range(FRAMES - 1)]


def test_rotated(fal, clip):
    fal.set_faults("rotated:1")
    with opened(clip()) as container:
        assert abs(next(container.decode(video=0)).rotation) == 90


def test_untagged_color(fal, clip):
    fal.set_faults("untagged_color:1")
    with opened(clip()) as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        assert {context.colorspace, context.color_primaries, context.color_trc} == {2}
        assert frame.colorspace == 2


# The listing.


def test_listing_unavailable(fal, client):
    fal.set_faults("listing_unavailable:1")
    refused = client.get(LISTING)
    assert refused.status_code == 403
    assert set(refused.json()["error"]) == {"type", "message", "docs_url", "request_id"}


def test_listing_without_payloads(fal, client, post, finish):
    finish(post().json())
    url = f"{LISTING}&expand=payloads"
    (item,) = client.get(url).json()["items"]
    fal.set_faults("listing_without_payloads:1")
    (bare,) = client.get(url).json()["items"]
    assert set(item) - set(bare) == {"json_input", "json_output"}


def test_listing_shows_running(fal, client, post):
    fal.set_faults("stuck_in_queue:1,listing_shows_running:1")
    handle = post().json()
    (item,) = client.get(LISTING).json()["items"]
    assert (item["request_id"], item["ended_at"]) == (handle["request_id"], None)
    assert client.get(LISTING).json()["items"] == []
