"""The response of the paid POST: an id and three addresses."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest

from vidu.fal.request_handles import has_fal_urls, parse_request_handle
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
