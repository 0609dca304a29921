"""local_fal's schemas and prices against the facts, and against what the pack quotes."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from local_fal.catalog import ENDPOINTS
from vidu.endpoints import ENDPOINTS as OURS

FACTS = json.loads((Path(__file__).parents[2] / "facts" / "vidu_family.json").read_text("utf-8"))
each_endpoint = pytest.mark.parametrize("name", ENDPOINTS)


def facts_in_schema(schema: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """What the pydantic model enforces, in the words of the facts."""
    described = schema.model_json_schema()
    required = described.get("required", [])
    fields = {}
    for name, field in described["properties"].items():
        (*others, kind) = sorted(field.get("anyOf", [field]), key=lambda one: one["type"] != "null")
        fact = {
            "type": kind["type"],
            "required": name in required,
            "nullable": bool(others),
            "default": field.get("default"),
            "enum": kind.get("enum"),
            "max_length": kind.get("maxLength"),
            "min": kind.get("minimum"),
            "max": kind.get("maximum"),
            "max_items": kind.get("maxItems"),
        }
        fields[name] = fact
    return fields


def known(fact: dict[str, Any]) -> dict[str, Any]:
    names = ("enum", "max_length", "min", "max", "max_items", "default")
    return {
        "type": fact["type"],
        "required": fact["required"],
        "nullable": bool(fact.get("nullable")),
        **{name: fact.get(name) for name in names},
    }


def test_catalog_has_the_endpoints_of_the_facts():
    assert ENDPOINTS.keys() == FACTS.keys()


@each_endpoint
def test_schema_matches_the_facts(name):
    ours = facts_in_schema(ENDPOINTS[name].schema)
    facts = {field: known(fact) for field, fact in FACTS[name]["fields"].items()}
    for field, fact in ours.items():
        if fact["type"] == "array" and not fact["required"]:
            fact["default"] = None  # an empty list stands for a list that is left out
        if field == "reference_image_urls" and facts[field]["max_items"] != fact["max_items"]:
            # Said in words and not by the schema: a rule in catalog.py.
            facts[field]["max_items"] = None
    assert ours == facts


@each_endpoint
def test_rates_match_the_facts(name):
    rates = FACTS[name]["price"]["rates"]
    for key, fact in rates.items():
        if fact["base"] is None:
            continue  # unknown
        field = {"standard": "hug", "premium": "lunar_newyear", "advanced": "live_photo"}
        given = {"template": field[key]} if key in field else {"resolution": key}
        rate = ENDPOINTS[name].rate({} if key == "*" else given)
        assert (rate.base, rate.per_second) == (Decimal(fact["base"]), Decimal(fact["per_second"]))


@each_endpoint
def test_quote_of_the_pack_covers_what_fal_bills(name):
    ours, theirs = OURS[name], ENDPOINTS[name]
    choices = {
        field.name: getattr(field, "values", None) or range(field.least, field.most + 1)
        for field in ours.fields
        if field.name in ("resolution", "template", "duration")
    }
    for values in product(*choices.values()):
        options = ours.check_options(dict(zip(choices, values, strict=True)))
        quote, rate = ours.quote(options, {}), theirs.rate(options)
        seconds = theirs.duration_s(options) if theirs.output == "video" else 0
        billed = rate.base + rate.per_second * seconds
        assert quote.usd >= billed, options
        assert quote.usd == billed or quote.is_upper_bound, options
