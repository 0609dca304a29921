"""The queue of local_fal: submit, status, result, cancel."""

from __future__ import annotations

import io
import uuid

from PIL import Image

from ...support.local_fal_jobs import ENDPOINT, NOBODY, QUEUE, data_uri, finished, result_of, submit

REQUESTS = f"{QUEUE}/fal-ai/vidu/requests"
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


def test_queue_five_submits_run_two_at_once_and_bill_five(fal, client):
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
