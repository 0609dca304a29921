"""The response of the paid POST: an id and three addresses."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest

from vidu.errors import ServiceError
from vidu.fal.request_handles import (
    handle_by_id,
    has_fal_urls,
    has_sub_path,
    parse_request_handle,
    require_fal_urls,
)
from vidu.models import RequestHandle

from ...support.fal_replies import NGINX, reply

HANDLE = RequestHandle("405a114e-04bd-463a", "https://q/s", "https://q/r", "https://q/c")
SUBMITTED = {
    "status": "IN_QUEUE",
    "request_id": HANDLE.request_id,
    "response_url": HANDLE.response_url,
    "status_url": HANDLE.status_url,
    "cancel_url": HANDLE.cancel_url,
    "queue_position": 0,
}


def test_parse_request_handle_returns_id_and_addresses():
    assert parse_request_handle(reply(200, SUBMITTED)) == HANDLE


@pytest.mark.parametrize("value", [None, 7, {}])
def test_parse_request_handle_without_an_id_returns_none(value):
    assert parse_request_handle(reply(200, {**SUBMITTED, "request_id": value})) is None
    assert parse_request_handle(reply(200, {**SUBMITTED, "request_id": ""})) is None
    nameless = {name: text for name, text in SUBMITTED.items() if name != "request_id"}
    assert parse_request_handle(reply(200, nameless)) is None


@pytest.mark.parametrize("name", ["response_url", "status_url", "cancel_url"])
@pytest.mark.parametrize("value", [None, 7, {}])
def test_parse_request_handle_without_an_address_has_its_id(name, value):
    handle = parse_request_handle(reply(200, {**SUBMITTED, name: value}))
    assert handle == replace(HANDLE, **{name: ""})
    assert not has_fal_urls(handle)


@pytest.mark.parametrize("name", ["", "../../admin", "a/b", "a b", "a\n", "x" * 65, "\u00e9"])
def test_parse_request_handle_with_a_path_as_id_returns_none(name):
    assert parse_request_handle(reply(200, {**SUBMITTED, "request_id": name})) is None


def test_parse_request_handle_of_a_broken_body_returns_none():
    assert parse_request_handle(httpx.Response(200, content=json.dumps(SUBMITTED)[:40])) is None
    assert parse_request_handle(httpx.Response(200, html=NGINX)) is None


BASE = "https://queue.fal.run/fal-ai/vidu/requests/r-1"
OURS = RequestHandle("r-1", f"{BASE}/status", BASE, f"{BASE}/cancel")
each_address = pytest.mark.parametrize("name", ["status_url", "response_url", "cancel_url"])


@pytest.mark.parametrize("endpoint", ["fal-ai/vidu", "fal-ai/vidu/q3/image-to-video/turbo"])
def test_handle_by_id_leads_to_the_app(endpoint):
    assert handle_by_id(endpoint, "r-1") == OURS


@each_address
def test_has_fal_urls_of_both_of_fals_hosts_is_true(name):
    backup = getattr(OURS, name).replace("queue.fal.run", "queue.falrun.com")
    for handle in (OURS, replace(OURS, **{name: backup})):
        assert has_fal_urls(handle)
        assert require_fal_urls(handle) is handle


@each_address
@pytest.mark.parametrize(
    "url",
    [
        BASE.replace("https", "http"),
        BASE.replace("queue.fal.run", "queue.example.com"),
        BASE.replace("queue.fal.run", "queue.fal.run.example.com"),
        BASE.replace("queue.fal.run", "queue.fal.run@example.com"),
        BASE.replace("queue.fal.run", "user:word@queue.fal.run"),
        f"{BASE}0",
        BASE.replace("r-1", "r-0"),
        f"{BASE.replace('r-1', 'r-0')}?id=r-1",
        BASE.replace("queue.fal.run", "queue.fal.run:port"),
        f"{BASE}/\0",
        f"{BASE}/\ud83d",
        "https://[queue.fal.run/r-1",
        "r-1",
        "",
    ],
)
def test_has_fal_urls_with_another_address_is_false_and_gets_no_key(name, url):
    handle = replace(OURS, **{name: url})
    assert not has_fal_urls(handle)
    with pytest.raises(ServiceError) as refused:
        require_fal_urls(handle)
    assert "request r-1 that are not fal's" in refused.value.message


@each_address
def test_has_sub_path_is_true_of_an_address_with_all_of_the_endpoints_path(name):
    endpoint = "fal-ai/vidu/q3/image-to-video"
    long = getattr(OURS, name).replace("fal-ai/vidu", endpoint)
    assert has_sub_path(replace(OURS, **{name: long}), endpoint)
    assert not has_sub_path(OURS, endpoint)
    assert not has_sub_path(OURS, "fal-ai/vidu")  # all of its path is the app
