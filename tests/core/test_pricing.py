"""Prices against a copy of fal's price pages."""

from __future__ import annotations

from decimal import Decimal

import pytest

from vidu.endpoints import ENDPOINTS
from vidu.fields import MediumShape
from vidu.pricing import ANY, PriceTable, Quote, format_usd, rates

from ..support.endpoint_facts import FACTS, HD, each_endpoint, endpoint_called


@each_endpoint
def test_prices_match_the_page(endpoint_id):
    price, table = FACTS[endpoint_id]["price"], ENDPOINTS[endpoint_id].price
    for key, fact in price["rates"].items():
        if price["by"] == "template tier":
            continue
        rate = table.rates.get(key) or table.rates[ANY]
        if fact["base"] is None:
            assert rate.is_upper_bound
            continue
        known = Decimal(fact["base"]), Decimal(fact["per_second"])
        assert (rate.base, rate.per_second, rate.is_upper_bound) == (*known, False), key
    assert table.date == FACTS[endpoint_id]["price_date"]
    assert table.source


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("hug", "$0.20"),
        ("dynasty_dress", "$0.30"),
        ("live_photo", "$0.50"),
        ("hulk", "up to $0.50"),
    ],
)
def test_price_of_a_template_is_its_tier_or_at_most_the_highest(template, shown):
    endpoint = endpoint_called("template-to-video")
    options = endpoint.check_options({"template": template})
    assert str(endpoint.quote(options, {"images": [HD]})) == shown


@pytest.mark.parametrize(
    ("part", "options", "shown"),
    [
        ("image-to-video", {}, "$0.20"),
        ("q2/image-to-video/pro", {}, "$0.30"),
        ("q2/image-to-video/pro", {"duration": 8, "resolution": "1080p"}, "$1.10"),
        ("q2/image-to-video/turbo", {}, "$0.20"),
        ("q2/text-to-video", {"resolution": "360p"}, "up to $0.30"),
        ("q3/image-to-video", {}, "$0.77"),
        ("q3/image-to-video", {"duration": 16, "resolution": "1080p"}, "$2.464"),
        ("q3/image-to-video/turbo", {}, "$0.385"),
        ("q4/image-to-video", {}, "$0.475"),
        ("q4/image-to-video", {"duration": 16, "resolution": "4K"}, "$6.24"),
    ],
)
def test_quote_with_options_is_the_list_price(part, options, shown):
    endpoint = endpoint_called(part)
    assert str(endpoint.quote(endpoint.check_options(options), {})) == shown


def test_quote_of_an_extension_counts_the_seconds_of_both():
    endpoint = endpoint_called("q2/video-extension/pro")
    shapes = {"video": [MediumShape(1280, 720, 5.5)]}
    quote = endpoint.quote(endpoint.check_options({}), shapes)
    assert str(quote) == "up to $0.713"
    assert quote.usd == Decimal("0.7125")


@pytest.mark.parametrize(
    ("charges_input", "usd"), [(False, Decimal("0.20")), (True, Decimal("0.7001"))]
)
def test_quote_counts_the_input_in_milliseconds_only_where_it_is_charged(charges_input, usd):
    table = PriceTable(rates({ANY: ("0", "0.10")}), "a page", charges_input_seconds=charges_input)
    quote = table.quote({}, 2, input_s=5.0006)
    assert quote == Quote(usd, is_upper_bound=charges_input)
    assert table.quote({}, 2).usd == Decimal("0.20")


@pytest.mark.parametrize(
    ("usd", "shown"),
    [("0.385", "$0.385"), ("0.20", "$0.20"), ("5", "$5.00"), ("0.0001", "$0.001"), ("0", "$0.00")],
)
def test_format_usd_rounds_up_to_a_tenth_of_a_cent(usd, shown):
    assert format_usd(Decimal(usd)) == shown
