"""`vidu models`: every choice of the catalog is in the table, with the price that is paid."""

from __future__ import annotations

import json

from vidu.catalog import all_choices
from vidu.cli._main import main


def test_models_in_json_has_each_choice_with_its_limits_and_prices(capsys):
    assert main(["models", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, (intention, model, endpoint) in zip(rows, all_choices(), strict=True):
        assert (row["task"], row["model"], row["endpoint"]) == (
            intention.value,
            model.slug,
            endpoint.id,
        )
        assert row["options"].keys() == {field.name for field in endpoint.fields}
        assert row["price"].keys() == endpoint.price.rates.keys()
        for field in endpoint.media:
            assert any(text.startswith(field.role) for text in row["inputs"]) or (
                row["task"] == "text-to-video"
            )


def test_models_as_a_table_names_each_endpoint_and_its_price(capsys):
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    for _, _, endpoint in all_choices():
        assert f" {endpoint.id}\n" in table
    block = table[table.index(" fal-ai/vidu/image-to-video\n") :].split("\n  ")
    assert "image (1:4 to 4:1); prompt (up to 1500 characters)" in block[1]
    assert "--set movement_amplitude=auto|small|medium|large (default auto)" in block[2]
    assert block[3].strip() == "4 s, $0.20"
    assert "$0.30 + $0.10 a second at 1080p" in table
