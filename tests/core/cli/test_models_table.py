"""The printed table of `vidu models` against the facts, line by line.

Nothing here is taken from the pack's own values: what is read is the text that a person reads, and
what it is compared with are the copies of fal's schemas and documents in tests/facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from vidu.cli._main import main

FOLDER = Path(__file__).parents[2] / "facts"
FACTS = json.loads((FOLDER / "vidu_family.json").read_text("utf-8"))
LIMITS = json.loads((FOLDER / "vidu_limits.json").read_text("utf-8"))

V = "fal-ai/vidu/"
LINES = [
    ("image-to-video", "vidu", f"{V}image-to-video"),
    ("image-to-video", "vidu", f"{V}start-end-to-video"),
    ("image-to-video", "q1", f"{V}q1/image-to-video"),
    ("image-to-video", "q1", f"{V}q1/start-end-to-video"),
    ("image-to-video", "q2-turbo", f"{V}q2/image-to-video/turbo"),
    ("image-to-video", "q2-pro", f"{V}q2/image-to-video/pro"),
    ("image-to-video", "q3-turbo", f"{V}q3/image-to-video/turbo"),
    ("image-to-video", "q3", f"{V}q3/image-to-video"),
    ("image-to-video", "q4", f"{V}q4/image-to-video"),
    ("text-to-video", "q1", f"{V}q1/text-to-video"),
    ("text-to-video", "q2", f"{V}q2/text-to-video"),
    ("text-to-video", "q3-turbo", f"{V}q3/text-to-video/turbo"),
    ("text-to-video", "q3", f"{V}q3/text-to-video"),
    ("text-to-video", "q4", f"{V}q4/reference-to-video"),
    ("reference-to-video", "vidu", f"{V}reference-to-video"),
    ("reference-to-video", "q1", f"{V}q1/reference-to-video"),
    ("reference-to-video", "q2-pro", f"{V}q2/reference-to-video/pro"),
    ("reference-to-video", "q3-mix", f"{V}q3/reference-to-video/mix"),
    ("reference-to-video", "q4", f"{V}q4/reference-to-video"),
    ("extend-video", "q2-pro", f"{V}q2/video-extension/pro"),
    ("template", "vidu", f"{V}template-to-video"),
    ("image", "q2", f"{V}q2/text-to-image"),
    ("image", "q2", f"{V}q2/reference-to-image"),
    ("image", "vidu", f"{V}reference-to-image"),
]
"""Which models there are for each task: the table of nodes in the design."""

INPUTS = {
    "image_url": "image",
    "start_image_url": "image",
    "end_image_url": "end_image",
    "reference_image_urls": "images",
    "input_image_urls": "images",
    "reference_video_urls": "videos",
    "reference_audio_urls": "voices",
    "video_url": "video",
}
TIERS = {
    "standard": ("hug", "kiss", "love_pose"),
    "premium": ("lunar_newyear", "dynasty_dress", "dreamy_wedding"),
    "advanced": ("live_photo",),
}
"""The templates whose tier fal names."""

UNSEEN = ("seed", "prompt", "enable_safety_checker", *INPUTS)
"""Fields that have no line of their own."""


@dataclass
class Block:
    """What the table says of one endpoint for one task."""

    task: str
    model: str
    endpoint: str
    inputs: dict[str, list[str]] = field(default_factory=dict)
    options: dict[str, tuple[str, str]] = field(default_factory=dict)
    price: str = ""


@pytest.fixture(scope="module")
def table() -> list[Block]:
    """The table as it is printed, read back."""
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("vidu.cli.models.print_result", lambda text: lines.extend(text.splitlines()))
        assert main(["models"]) == 0
    return list(read_blocks(lines))


def read_blocks(lines: list[str]) -> Iterator[Block]:
    task, block = "", None
    for line in filter(None, lines):
        if not line.startswith(" "):
            task = line
        elif not line.startswith("    "):
            if block:
                yield block
            block = Block(task, *line.split())
        elif "--set" in line:
            name, values, default = re.fullmatch(
                r" +--set (\w+)=(.+) \(default (.+)\)", line
            ).groups()
            block.options[name] = (values, default)
        elif "$" in line:
            block.price = line.strip()
        else:
            for part in line.strip().split("; "):
                name, limits = re.fullmatch(r"(\w+)(?: \((.+)\))?", part).groups()
                block.inputs[name] = limits.split(", ") if limits else []
    yield block


def test_table_has_a_line_for_each_model_of_each_task(table):
    assert [(block.task, block.model, block.endpoint) for block in table] == LINES
    assert {block.endpoint for block in table} == FACTS.keys()


@pytest.mark.parametrize("number", range(len(LINES)), ids=lambda n: f"{LINES[n][1]} {LINES[n][2]}")
def test_table_block_agrees_with_the_facts(table, number):
    block = table[number]
    fields, limits = FACTS[block.endpoint]["fields"], LIMITS[block.endpoint]
    assert block.inputs == dict(expected_inputs(block.task, fields, limits))
    options = {name: fact for name, fact in fields.items() if name not in UNSEEN}
    assert {name: read_option(*line) for name, line in block.options.items()} == {
        name: expected_option(name, fact) for name, fact in options.items()
    }
    assert read_seconds(block.price) == limits.get("seconds", 0)
    assert_prices(block, FACTS[block.endpoint]["price"], options)


def expected_inputs(
    task: str, fields: dict[str, Any], limits: dict[str, Any]
) -> Iterator[tuple[str, list[str]]]:
    for name, fact in limits["media"].items():
        if task != "text-to-video":
            yield INPUTS[name], expected_limits(fields[name], fact)
    if "prompt" in fields:
        length = f"up to {fields['prompt']['max_length']} characters"
        yield "prompt", ([] if fields["prompt"]["required"] else ["optional"]) + [length]


def expected_limits(schema: dict[str, Any], fact: dict[str, Any]) -> list[str]:
    assert bool(fact["least"]) == schema["required"]
    words = {
        "optional": not schema["required"],
        f"up to {fact['most']}": fact["most"] > 1,
        "1:4 to 4:1": fact.get("aspect") == 4,
        f"at least {fact.get('min_side')} pixels a side": "min_side" in fact,
        f"{fact.get('min_s')} to {fact.get('max_s')} s": "max_s" in fact,
        f"up to {fact.get('max_mb')} MB": "max_mb" in fact,
    }
    return [word for word, holds in words.items() if holds]


def expected_option(name: str, fact: dict[str, Any]) -> tuple[object, object]:
    if fact["type"] == "boolean":
        return ["true", "false"], str(fact["default"]).lower()
    if fact["type"] == "integer":
        values = fact.get("enum") or [fact["min"], fact["max"]]
        return (values[0], values[-1]), str(fact["default"])
    return fact.get("enum") or ["auto", "W:H"], fact["default"]


def read_option(values: str, default: str) -> tuple[object, object]:
    """The values of an option: a range of numbers or the texts."""
    numbers = re.fullmatch(r"(\d+) to (\d+)", values)
    if numbers:
        return (int(numbers[1]), int(numbers[2])), default
    if values.endswith(" more"):
        shown = values.split("|")
        named = FACTS[f"{V}template-to-video"]["fields"]["template"]["enum"]
        assert shown[:-1] == named[: len(shown) - 1]
        assert shown[-1] == f"... {len(named) - len(shown) + 1} more"
        return named, default
    return re.split(r"\||" + " or ", values), default


def read_seconds(price: str) -> int:
    fixed = re.match(r"(\d+) s, ", price)
    return int(fixed[1]) if fixed else 0


def read_prices(price: str) -> dict[str, tuple[Decimal, Decimal, bool]]:
    """The base, the price a second and whether it is `up to`, by the value that picks it."""
    found = {}
    for row in re.sub(r"^\d+ s, ", "", price).split(", "):
        read = re.fullmatch(
            r"(up to )?(?:\$([\d.]+))??(?: \+ )?(?:\$([\d.]+) a second)?( otherwise| at \S+)?", row
        )
        assert read, row
        rate = Decimal(read[2] or 0), Decimal(read[3] or 0), bool(read[1])
        where = (read[4] or "*").removeprefix(" at ").replace(" otherwise", "*")
        found |= dict.fromkeys(where.split("/"), rate)
    return found


def assert_prices(block: Block, price: dict[str, Any], options: dict[str, Any]) -> None:
    printed = read_prices(block.price)
    is_bound = block.task == "extend-video"  # whether the input's seconds count is not known
    rates = price["rates"]
    if price["by"] == "template tier":
        rates = {name: rates[tier] for tier, names in TIERS.items() for name in names}
        assert printed.pop("*") == (Decimal("0.50"), 0, True)
        assert printed.keys() == rates.keys()
    for value, fact in rates.items():
        base, per_second, is_upper_bound = printed.get(value) or printed["*"]
        if fact["base"] is None:  # unknown: not above the next larger size
            assert (base, per_second, is_upper_bound) == (*printed["720p"][:2], True)
            continue
        known = Decimal(fact["base"]), Decimal(fact["per_second"])
        assert (base, per_second, is_upper_bound) == (*known, is_bound), value
    if price["by"] == "resolution":
        assert rates.keys() == set(options["resolution"]["enum"])
    else:
        assert price["by"] in (None, "template tier")
