"""Faults of the list of ended requests, and a clock that is off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest

from ....support.local_fal_calls import LISTING, SUBMIT

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
