"""The tables of the help pages against the endpoints: models, lengths, sizes, prices."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from vidu.catalog import MODELS, Model
from vidu.endpoint import Intention

DOCS = Path(__file__).resolve().parents[2] / "web" / "docs"
PAGES = {
    Intention.IMAGE_TO_VIDEO: "FalViduImageToVideo",
    Intention.TEXT_TO_VIDEO: "FalViduTextToVideo",
    Intention.REFERENCE_TO_VIDEO: "FalViduReferenceToVideo",
}
each_page = pytest.mark.parametrize("intention", PAGES)
each_language = pytest.mark.parametrize("language", ["", "zh"])


def rows_of(intention: Intention, language: str) -> dict[str, str]:
    """The table's row of each model, as it is written."""
    page = DOCS / (f"{PAGES[intention]}/{language}.md" if language else f"{PAGES[intention]}.md")
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ") for line in lines if line.startswith("|")][2:]
    return {row.split("|")[0].strip(): row for row in rows}


def amounts_of(model: Model) -> set[Decimal]:
    rates = [rate for each in model.endpoints for rate in each.price.rates.values()]
    return {amount for rate in rates for amount in (rate.base, rate.per_second)} - {Decimal(0)}


def lengths_of(model: Model) -> list[int]:
    (endpoint, *_) = model.endpoints
    limits = [(field.least, field.most) for field in endpoint.fields if field.name == "duration"]
    return list(limits[0]) if limits else [endpoint.seconds]


@each_page
@each_language
def test_table_of_a_page_has_a_row_for_each_model(intention, language):
    names = [model.name for model in MODELS[intention]]
    assert list(rows_of(intention, language)) == names


@each_page
@each_language
def test_table_of_a_page_tells_lengths_sizes_and_prices(intention, language):
    rows = rows_of(intention, language)
    for model in MODELS[intention]:
        row = rows[model.name]
        cells = [cell.strip() for cell in row.split("|")]
        assert list(map(int, re.findall(r"\d+", lengths(cells)))) == lengths_of(model), row
        sizes = [field for field in model.endpoints[0].fields if field.name == "resolution"]
        for field in sizes:
            assert {field.values[0], field.values[-1]} <= set(re.findall(r"\d+p|\dK", row)), row
        told = {Decimal(amount) for amount in re.findall(r"\$([\d.]+)", cells[-1])}
        assert told == amounts_of(model), row


def lengths(cells: list[str]) -> str:
    """The cell with the seconds of the clip."""
    return next(cell for cell in cells if re.fullmatch(r"(\d+ (to|[^\d ]+) )?\d+ (s|\u79d2)", cell))
