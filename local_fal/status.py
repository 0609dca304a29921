"""The queue's status of a job: at submit and at each status request (fal.md 1.1, 1.2)."""

from __future__ import annotations

from typing import Any

from .jobs import Job
from .responses import CannedResponse

QUEUE_HOST = "queue.fal.run"


def submit_reply(job: Job, ahead: int, host: str) -> dict[str, Any]:
    """Return the reply to a submit.

    Args:
        job: The job that was accepted.
        ahead: How many wait before it.
        host: The host its URLs name.
    """
    return {
        "status": "IN_QUEUE",
        "request_id": job.request_id,
        **_urls(job, host),
        "logs": None,
        "metrics": {},
        "queue_position": ahead,
    }


def status_of(job: Job, ahead: int | None, wants_logs: bool) -> dict[str, Any]:
    """Return the status.

    Args:
        job: The job.
        ahead: How many wait before it; None when it does not wait.
        wants_logs: Whether logs were asked for.
    """
    body: dict[str, Any] = {
        "status": job.state,
        "request_id": job.request_id,
        **_urls(job, QUEUE_HOST),
        # A partner's model such as Vidu has none to show.
        "logs": [] if wants_logs else None,
        "metrics": {},
    }
    if ahead is not None:
        return body | {"queue_position": ahead}
    if job.response is None:
        return body
    body["metrics"] = {"inference_time": job.duration_s} if job.started_at else {}
    return body | _error_of(job.response)


def _urls(job: Job, host: str) -> dict[str, str]:
    base = f"https://{host}/{job.app}/requests/{job.request_id}"
    return {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}


def _error_of(response: CannedResponse) -> dict[str, str]:
    if response.status < 400:
        return {}
    if isinstance(response.body, dict) and "error_type" in response.body:
        return {"error": response.body["detail"], "error_type": response.body["error_type"]}
    return {"error": f"Invalid status code: {response.status}"}
