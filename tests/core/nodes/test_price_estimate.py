"""What a node's next run costs, before it runs."""

from __future__ import annotations

from decimal import Decimal

import pytest

IMAGE = {"class_type": "LoadImage", "inputs": {"image": "lighthouse.png"}}


@pytest.fixture
def estimate(pack):
    def call(node, **inputs):
        graph = pack.nodes.graph.Graph.parse(
            {"1": IMAGE, "2": {"class_type": node, "inputs": inputs}}
        )
        return pack.nodes.price_estimate.estimate(node, graph.nodes["2"].inputs)

    return call


def test_estimate_default_model_is_its_list_price(estimate):
    found = estimate("FalViduImageToVideo", image=["1", 0], model="Vidu")
    assert (found.low, found.high, found.is_upper_bound) == (
        Decimal("0.20"),
        Decimal("0.20"),
        False,
    )


def test_estimate_follows_duration_and_resolution(estimate, pack):
    def usd(**options):
        named = {f"model.{name}": value for name, value in options.items()}
        found = estimate("FalViduTextToVideo", model="Q3", **named)
        assert found.low == found.high
        return found.high

    assert usd(duration=8) == 2 * usd(duration=4)
    assert usd(duration=8, resolution="1080p") > usd(duration=8, resolution="540p")


def test_estimate_linked_duration_has_a_range(estimate):
    found = estimate("FalViduTextToVideo", model="Q3", **{"model.duration": ["1", 0]})
    assert found.low < found.high


def test_estimate_end_image_picks_the_endpoint_that_takes_it(estimate, pack):
    endpoints = pack.vidu.endpoints
    found = estimate("FalViduImageToVideo", image=["1", 0], end_image=["1", 0], model="Vidu")
    assert found.high == endpoints.VIDU_START_END_TO_VIDEO.quote({}, {}).usd


def test_estimate_half_connected_node_has_a_price(estimate):
    assert estimate("FalViduReferenceToVideo", model="Q1").high > 0
    assert estimate("FalViduImageToVideo", model="no such model").high > 0


def test_estimate_node_that_costs_nothing_is_none(estimate):
    assert estimate("FalViduShots", shots="A wave.") is None
    assert estimate("FalViduSavedClip", request_id="x") is None


def test_estimate_knows_each_generating_node(pack):
    intentions = pack.nodes.price_estimate.INTENTIONS
    assert set(intentions.values()) == set(pack.vidu.endpoint.Intention)
