"""The list of ended requests of local_fal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import httpx

from ...support.local_fal_jobs import ENDPOINT, LISTING, finished, submit


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
