"""local_fal against the reference: statuses, bodies, headers, on real sockets."""

from __future__ import annotations

import base64
import hashlib
import io
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest
from PIL import Image

import local_fal

ROOT = Path(__file__).resolve().parents[3]
ENDPOINT = "fal-ai/vidu/image-to-video"
QUEUE = "https://queue.fal.run"
REQUESTS = f"{QUEUE}/fal-ai/vidu/requests"
LISTING = "https://api.fal.ai/v1/models/requests/by-endpoint"
NOBODY = str(uuid.uuid4())


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 36)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(file, kind)
    return file.getvalue()


def data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.fixture(scope="module")
def shared() -> Iterator:
    with local_fal.running(
        generation_seconds=0.05, clip_size=(64, 36), clip_frames=4, concurrency=2
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


def submit(client: httpx.Client, headers: dict | None = None, **given) -> dict:
    body = {"prompt": "a wave", "image_url": data_uri(picture()), **given}
    response = client.post(f"{QUEUE}/{ENDPOINT}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def finished(client: httpx.Client, handle: dict) -> dict:
    while (response := client.get(handle["status_url"])).status_code == 202:
        time.sleep(0.02)
    assert response.status_code == 200
    return response.json()


def result_of(client: httpx.Client, **given) -> httpx.Response:
    handle = submit(client, **given)
    finished(client, handle)
    return client.get(handle["response_url"])


def detail_of(client: httpx.Client, **given) -> dict:
    response = result_of(client, **given)
    assert response.status_code == 422
    (detail,) = response.json()["detail"]
    return detail


def uploaded(client: httpx.Client, data: bytes, name: str = "a.png") -> str:
    token = client.post("https://rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3", json={})
    bearer = {
        "Authorization": f"Bearer {token.json()['token']}",
        "X-Fal-File-Name": name,
        "Content-Type": "image/png",
    }
    response = client.post("https://v3.fal.media/files/upload", content=data, headers=bearer)
    assert response.status_code == 200, response.text
    assert response.json()["uploaded"] is True
    return response.json()["access_url"]


# The queue.


def test_submit_accepted_returns_urls_of_owner_and_app(fal, client):
    handle = submit(client)
    base = f"{REQUESTS}/{handle['request_id']}"
    assert handle == {
        "status": "IN_QUEUE",
        "request_id": str(uuid.UUID(handle["request_id"])),
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
        "logs": None,
        "metrics": {},
        "queue_position": 0,
    }


def test_status_of_a_slow_job_passes_through_three_states(fal, client):
    fal.set_faults("slow:3")
    handles = [submit(client) for _ in range(4)]
    waiting = client.get(handles[3]["status_url"], params={"logs": "1"})
    running = client.get(handles[0]["status_url"], params={"logs": "false"})
    assert (waiting.status_code, running.status_code) == (202, 202)
    assert waiting.json()["status"] == "IN_QUEUE"
    assert waiting.json()["queue_position"] == 1
    assert waiting.json()["logs"] == []
    assert running.json()["status"] == "IN_PROGRESS"
    assert running.json()["logs"] is None
    assert "queue_position" not in running.json()
    early = client.get(handles[3]["response_url"])
    assert early.status_code == 400
    assert early.json() == {"detail": "Request is still in progress"}
    done = finished(client, handles[3])
    assert done["status"] == "COMPLETED"
    assert done["metrics"]["inference_time"] > 0
    assert "error" not in done


def test_five_submits_run_two_at_once_and_bill_five(fal, client):
    handles = [submit(client) for _ in range(5)]
    for handle in handles:
        finished(client, handle)
    ledger = fal.ledger()
    assert ledger["most_running"] == 2
    assert ledger["counts"]["jobs"] == 5
    assert ledger["counts"]["submits"] == {"queue.fal.run": 5}
    assert ledger["billed_usd"] == 1.0
    assert [job["request_id"] for job in ledger["jobs"]] == [r["request_id"] for r in handles]
    assert all(len(job["polls"]) >= 1 for job in ledger["jobs"])


def test_result_completed_returns_the_models_response(fal, client):
    handle = submit(client)
    finished(client, handle)
    for url in (handle["response_url"], handle["response_url"] + "/response"):
        response = client.get(url)
        assert response.status_code == 200
        assert response.headers["x-fal-request-id"] == handle["request_id"]
        assert response.headers["x-fal-billable-units"] == "1"
        video = response.json()["video"]
        assert video["content_type"] == "video/mp4"
        assert video["file_name"] == "output.mp4"
        assert len(client.get(video["url"]).content) == video["file_size"]


def test_clip_with_same_seed_is_identical_and_with_another_differs(fal, client):
    def clip(**given) -> bytes:
        video = result_of(client, **given).json()["video"]
        return client.get(video["url"]).content

    noise = Image.effect_noise((64, 36), 90).convert("RGB")
    file = io.BytesIO()
    noise.save(file, "PNG")
    image = {"image_url": data_uri(file.getvalue())}
    first = clip(seed=3, **image)
    assert clip(seed=3, **image) == first
    assert clip(seed=4, **image) != first
    assert clip(seed=0, **image) != clip(seed=0, **image)
    assert clip(**image) != clip(seed=None, **image)


def test_unknown_request_and_app_return_404(fal, client):
    for url in (f"{REQUESTS}/{NOBODY}/status", f"{REQUESTS}/{NOBODY}"):
        response = client.get(url)
        assert (response.status_code, response.json()) == (404, {"status": "NOT_FOUND"})
    cancel = client.put(f"{REQUESTS}/{NOBODY}/cancel")
    assert (cancel.status_code, cancel.json()) == (404, {"status": "NOT_FOUND"})
    app = client.post(f"{QUEUE}/fal-ai/nothing", json={})
    assert app.status_code == 404
    assert app.json() == {"detail": 'Application "nothing" not found'}


def test_request_url_with_sub_path_returns_405(fal, client):
    handle = submit(client)
    for method, end in (("GET", "/status"), ("GET", ""), ("PUT", "/cancel")):
        url = f"{QUEUE}/{ENDPOINT}/requests/{handle['request_id']}{end}"
        assert client.request(method, url).status_code == 405


def test_submit_to_unknown_path_is_accepted_and_its_result_is_404(fal, client):
    response = client.post(f"{QUEUE}/fal-ai/vidu/nonsense", json={})
    assert response.status_code == 200
    finished(client, response.json())
    result = client.get(response.json()["response_url"])
    assert (result.status_code, result.json()) == (404, {"detail": "Path /nonsense not found"})


def test_cancel_of_a_queued_job_removes_it(fal, client):
    fal.set_faults("stuck_in_queue:1")
    handle = submit(client)
    cancel = client.put(handle["cancel_url"])
    assert (cancel.status_code, cancel.json()) == (200, {"status": "OK"})
    status = finished(client, handle)
    assert status["error_type"] == "client_cancelled"
    result = client.get(handle["response_url"])
    assert result.status_code == 499
    assert result.json()["detail"] == "Request cancelled by the client."
    late = client.put(handle["cancel_url"])
    assert (late.status_code, late.json()) == (400, {"status": "ALREADY_COMPLETED"})
    (job,) = fal.ledger()["jobs"]
    assert (job["cancels"], job["billed"], job["started_at"]) == (2, False, None)


def test_cancel_of_a_running_job_ends_it_unbilled(fal, client):
    fal.set_faults("slow:1")
    handle = submit(client)
    cancel = client.put(handle["cancel_url"])
    assert cancel.status_code == 202
    assert cancel.json() == {"status": "CANCELLATION_REQUESTED"}
    assert finished(client, handle)["error"] == "Request cancelled by the client."
    assert client.get(handle["response_url"]).status_code == 499
    assert fal.ledger()["billed_usd"] == 0


def test_start_timeout_in_the_queue_ends_the_job_with_504(fal, client):
    fal.set_faults("stuck_in_queue:1")
    handle = submit(client, {"X-Fal-Request-Timeout": "0.2"})
    status = finished(client, handle)
    assert (status["error"], status["error_type"]) == ("Request timed out", "request_timeout")
    result = client.get(handle["response_url"])
    assert result.status_code == 504
    assert result.headers["X-Fal-Request-Timeout-Type"] == "user"
    assert result.headers["X-Fal-Error-Type"] == "request_timeout"
    assert result.json() == {"detail": "Request timed out", "error_type": "request_timeout"}


def test_submit_over_max_queue_length_returns_429(fal, client):
    fal.set_faults("stuck_in_queue:2")
    submit(client)
    submit(client)
    response = client.post(f"{QUEUE}/{ENDPOINT}?fal_max_queue_length=1", json={})
    assert response.status_code == 429


# What the runner says of the input.


def test_empty_input_is_accepted_and_its_result_is_422(fal, client):
    response = client.post(f"{QUEUE}/{ENDPOINT}", json={})
    assert response.status_code == 200
    assert finished(client, response.json())["error"] == "Invalid status code: 422"
    result = client.get(response.json()["response_url"])
    assert result.status_code == 422
    assert result.headers["x-fal-billable-units"] == "0"
    missing = {"type": "missing", "msg": "Field required", "input": {}}
    assert result.json() == {
        "detail": [
            missing | {"loc": ["body", "prompt"]},
            missing | {"loc": ["body", "image_url"]},
        ]
    }


def test_prompt_over_1500_characters_returns_string_too_long(fal, client):
    assert detail_of(client, prompt="x" * 1501) == {
        "type": "string_too_long",
        "loc": ["body", "prompt"],
        "msg": "String should have at most 1500 characters",
        "input": "x" * 1501,
        "ctx": {"max_length": 1500},
    }


def test_unknown_movement_amplitude_returns_literal_error(fal, client):
    choice = "'auto', 'small', 'medium' or 'large'"
    assert detail_of(client, movement_amplitude="huge") == {
        "type": "literal_error",
        "loc": ["body", "movement_amplitude"],
        "msg": f"Input should be {choice}",
        "input": "huge",
        "ctx": {"expected": choice},
    }


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"seed": "abc"}, "int_parsing"),
        ({"seed": "5"}, "int_type"),
        ({"seed": 1.5}, "int_from_float"),
        ({"image_url": None}, "string_type"),
        ({"image_url": "https://example.com/a.png"}, "file_download_error"),
        ({"image_url": "https://v3b.fal.media/files/b/0/none.png"}, "file_download_error"),
        ({"image_url": data_uri(b"not an image")}, "image_load_error"),
        ({"image_url": data_uri(picture()[:60])}, "image_load_error"),
        ({"image_url": data_uri(picture("GIF"))}, "unsupported_image_format"),
        ({"image_url": data_uri(picture(size=(401, 100)))}, "image_aspect_ratio_error"),
        ({"image_url": data_uri(picture(size=(100, 401)))}, "image_aspect_ratio_error"),
    ],
)
def test_invalid_input_returns_its_error_type(fal, client, given, kind):
    assert detail_of(client, **given)["type"] == kind


@pytest.mark.parametrize(
    "given",
    [
        {"seed": None},
        {"seed": -1},
        {"prompt": ""},
        {"prompt": "\N{WATER WAVE}" * 1500},
        {"duration": 8, "aspect_ratio": "1:1"},
        {"image_url": data_uri(picture(size=(400, 100)))},
        {"image_url": data_uri(picture("WEBP"))},
        {"image_url": data_uri(picture("JPEG"))},
    ],
)
def test_unusual_valid_input_succeeds(fal, client, given):
    assert result_of(client, **given).status_code == 200


# Keys.


def test_wrong_key_returns_401_in_the_hosts_own_form(fal, client):
    def answer(host: str, authorization: str) -> tuple[int, object]:
        headers = {"Authorization": authorization} if authorization else {"Authorization": ""}
        path = f"/fal-ai/vidu/requests/{NOBODY}/status"
        if host == "rest.fal.ai":
            response = client.post(f"https://{host}/storage/auth/token", headers=headers)
        else:
            response = client.get(f"https://{host}{path}", headers=headers)
        return response.status_code, response.json()["detail"]

    wrong = "Key 00000000-0000-0000-0000-000000000000:0000"
    malformed = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."
    assert answer("queue.fal.run", wrong) == (401, "invalid key credentials")
    assert answer("queue.fal.run", "Key abc") == (401, malformed)
    assert answer("queue.fal.run", "") == (401, 'Cannot access application "fal-ai/vidu"')
    assert answer("rest.fal.ai", "") == (401, "Authorization header is required")
    refused = client.get(LISTING, headers={"Authorization": wrong})
    assert refused.status_code == 401
    assert set(refused.json()["error"]) == {"type", "message", "docs_url", "request_id"}


# Storage and CDN.


def test_storage_token_has_fals_fields(fal, client):
    url = "https://rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3"
    token = client.post(url, json={}).json()
    assert set(token) == {"token", "token_type", "base_url", "created_at", "expires_at"}
    assert (token["token_type"], token["base_url"]) == ("Bearer", "https://v3b.fal.media")
    assert token["expires_at"].endswith("+00:00")


def test_uploaded_file_is_served_without_a_key(fal, client):
    url = uploaded(client, picture(), "my picture.png")
    assert httpx.URL(url).host == "v3b.fal.media"
    assert url.endswith("_my_picture.png")
    response = client.get(url, headers={"Authorization": ""})
    assert response.content == picture()
    assert response.headers["content-type"] == "image/png"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "immutable" in response.headers["cache-control"]
    assert fal.ledger()["counts"]["uploads"] == 1


def test_upload_without_token_returns_401(fal, client):
    refused = client.post("https://v3.fal.media/files/upload", content=b"x")
    assert refused.status_code == 401


def test_job_records_the_digest_of_its_image(fal, client):
    assert result_of(client, image_url=uploaded(client, picture())).status_code == 200
    (job,) = fal.ledger()["jobs"]
    assert job["media_sha256"] == {"image_url": [hashlib.sha256(picture()).hexdigest()]}


def test_range_requests_return_the_part_or_the_whole(fal, client):
    data = picture()
    url = uploaded(client, data)
    etag = client.get(url).headers["etag"]
    part = client.get(url, headers={"Range": "bytes=10-", "If-Range": etag})
    assert (part.status_code, part.content) == (206, data[10:])
    assert part.headers["content-range"] == f"bytes 10-{len(data) - 1}/{len(data)}"
    middle = client.get(url, headers={"Range": "bytes=10-19"})
    assert (middle.status_code, middle.content) == (206, data[10:20])
    changed = client.get(url, headers={"Range": "bytes=10-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, data)
    beyond = client.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416


# The listing.


def listed(client: httpx.Client, **query) -> dict:
    params = {"endpoint_id": ENDPOINT, **query}
    response = client.get(LISTING, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_listing_shows_ended_jobs_latest_first(fal, client):
    handles = [submit(client, prompt="one"), submit(client, prompt="two")]
    for handle in handles:
        finished(client, handle)
    fal.set_faults("stuck_in_queue:1")
    submit(client, prompt="three")
    plain = listed(client)
    ended = [item["ended_at"] for item in plain["items"]]
    assert len(ended) == 2 and ended == sorted(ended, reverse=True)
    assert (plain["has_more"], plain["next_cursor"]) == (False, None)
    assert "json_input" not in plain["items"][0]
    items = listed(client, expand="payloads")["items"]
    assert {item["json_input"]["prompt"] for item in items} == {"one", "two"}
    assert all("video" in item["json_output"] for item in items)
    assert set(items[0]) == {
        "request_id",
        "endpoint_id",
        "started_at",
        "sent_at",
        "ended_at",
        "status_code",
        "duration",
        "json_input",
        "json_output",
    }


def test_listing_pages_show_each_job_once(fal, client):
    handles = [submit(client) for _ in range(3)]
    for handle in handles:
        finished(client, handle)
    seen, cursor = [], {}
    while True:
        page = listed(client, limit=2, **cursor)
        seen += [item["request_id"] for item in page["items"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == sorted(handle["request_id"] for handle in handles)


def test_listing_filters_by_status_id_time_and_endpoint(fal, client):
    good, bad = submit(client), submit(client, prompt="x" * 1501)
    hidden = submit(client, {"X-Fal-Store-IO": "0"})
    for handle in (good, bad, hidden):
        finished(client, handle)

    def ids(**query) -> set[str]:
        return {item["request_id"] for item in listed(client, **query)["items"]}

    everything = {handle["request_id"] for handle in (good, bad, hidden)}
    now = datetime.now(timezone.utc)
    assert ids(status="user_error") == {bad["request_id"]}
    assert ids(status="success") == everything - {bad["request_id"]}
    assert ids(request_id=good["request_id"]) == {good["request_id"]}
    assert ids(start=(now - timedelta(minutes=1)).isoformat()) == everything
    assert ids(end=(now - timedelta(minutes=1)).isoformat()) == set()
    assert ids(endpoint_id="fal-ai/other") == set()
    (item,) = listed(client, request_id=hidden["request_id"], expand="payloads")["items"]
    assert (item["json_input"], item["json_output"]) == (None, None)
    for wrong in ({"limit": 101}, {"cursor": "?"}, {"start": "yesterday"}, {"endpoint_id": ""}):
        response = client.get(LISTING, params={"endpoint_id": ENDPOINT, **wrong})
        assert response.status_code == 400
        assert response.json()["error"]["type"] == "validation_error"


# The proxy and the command.


def test_proxy_refuses_and_records_a_foreign_host(fal, client):
    with pytest.raises(httpx.ProxyError, match="403"):
        client.get("https://example.com/")
    assert fal.ledger()["refused"] == ["example.com:443"]


def test_unknown_fault_raises_with_a_hint(fal):
    with pytest.raises(ValueError, match="accepted_then_dropped"):
        fal.set_faults("accepted-then-droped:1")
    with (
        pytest.raises(ValueError, match="There is no fault nonsense"),
        local_fal.running(faults="nonsense"),
    ):
        pass


def test_command_exec_sets_environment_and_returns_its_exit_code():
    code = "import os, sys; print(*sorted(os.environ)); sys.exit(7)"
    command = [sys.executable, "-m", "local_fal", "--exec", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 7
    assert {"HTTPS_PROXY", "SSL_CERT_FILE", "FAL_KEY"} <= set(done.stdout.split())


def test_command_without_exec_prints_export_lines():
    command = [sys.executable, "-m", "local_fal"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        names = [process.stdout.readline().split("=")[0] for _ in range(3)]
    finally:
        process.terminate()
        process.communicate()
    assert names == ["export HTTPS_PROXY", "export SSL_CERT_FILE", "export FAL_KEY"]


def test_command_list_faults_prints_every_fault():
    command = [sys.executable, "-m", "local_fal", "--list-faults"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(local_fal.FAULTS)
